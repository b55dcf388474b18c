import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A file of a workspace that is written by hand. The path is relative to the root, with `/`. */
export type Source = { readonly path: string; readonly text: string };

/** Every TypeScript file in a workspace's src. */
export function sources(): Source[] {
  const workspaces = ['protocol', 'storage', 'keyserver', 'relay', 'client-core', 'cli', 'test/kit'];
  return workspaces.flatMap((workspace) =>
    readdirSync(join(root, workspace, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('gen/'))
      .map((name) => ({
        path: `${workspace}/src/${name}`,
        text: readFileSync(join(root, workspace, 'src', name), 'utf8'),
      })),
  );
}
