import { execFileSync } from 'node:child_process';
import { cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './sources.ts';

/** The packages, by name, with their folders; what they depend on first. */
export const packages = {
  '@waxwing/protocol': 'protocol',
  '@waxwing/storage': 'storage',
  '@waxwing/keyserver': 'keyserver',
  '@waxwing/relay': 'relay',
  '@waxwing/client-core': 'client-core',
  '@waxwing/cli': 'cli',
  '@waxwing/testing': 'test/kit',
} as const;

export type PackageName = keyof typeof packages;

/** npm's own configuration of the run that this is part of must not reach the one that it starts. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package)_/i.test(name)));

export function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

type Locked = Readonly<Record<'dependencies' | 'optionalDependencies', Readonly<Record<string, string>> | undefined>>;

/** What npm made of the packages' tarballs. */
export type Packed = {
  /** The tarball of a package. */
  tarball(name: PackageName): string;
  /** The names of all that a package brings with it, itself included, as npm resolved it. */
  closure(name: PackageName): ReadonlySet<string>;
  /** A folder where nothing is installed but this package and what it brings. */
  alone(name: PackageName): string;
  remove(): void;
};

/**
 * Builds and packs every package, and installs the tarballs together in an empty folder: one resolution by npm for all.
 * `alone` then links what a package names, and what that names, into a folder of its own.
 *
 * Install scripts do not run, for time: better-sqlite3's compiled part is this checkout's, which the same script made.
 */
export function packAll(): Packed {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-packed-'));
  const installed = join(folder, 'all');
  mkdirSync(installed);
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json'], root);
  run('npm', ['pack', '--workspaces', '--pack-destination', folder, '--ignore-scripts'], root);
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(installed, 'package.json'), '{ "private": true, "type": "module" }\n');
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  run('npm', ['install', ...quiet, ...tarballs.map((name) => `../${name}`)], installed);
  const native = 'node_modules/better-sqlite3/build';
  cpSync(join(root, native), join(installed, native), { recursive: true });

  const lock = JSON.parse(readFileSync(join(installed, 'node_modules/.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };

  /** Where a package that stands at `from` finds another, as Node looks for it; undefined where it was not installed. */
  function find(from: string, name: string): string | undefined {
    for (let at = from; ; at = at.slice(0, at.lastIndexOf('/node_modules/'))) {
      const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      if (path in lock.packages) return path;
      if (at === '') return undefined;
      if (!at.includes('/node_modules/')) at = `/node_modules/`;
    }
  }

  function paths(name: PackageName): Set<string> {
    const found = new Set<string>();
    const visit = (path: string): void => {
      if (found.has(path)) return;
      found.add(path);
      const { dependencies, optionalDependencies } = lock.packages[path] ?? {};
      for (const named of Object.keys({ ...dependencies, ...optionalDependencies })) {
        const at = find(path, named);
        if (at !== undefined) visit(at);
      }
    };
    visit(`node_modules/${name}`);
    return found;
  }

  return {
    tarball: (name) => join(folder, `${name.replace('@', '').replace('/', '-')}-0.1.0.tgz`),
    closure: (name) => new Set([...paths(name)].map((path) => path.replace(/^.*node_modules\//, ''))),
    alone(name) {
      const own = mkdtempSync(join(folder, 'alone-'));
      writeFileSync(join(own, 'package.json'), '{ "private": true, "type": "module" }\n');
      for (const path of paths(name)) linkTree(join(installed, path), join(own, path));
      return own;
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Hard links, as a symbolic one would lead back to all that is installed. What is nested in a package has its own entry. */
function linkTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (!entry.isFile() || /(^|\/)node_modules\//.test(path)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    linkSync(join(from, path), join(to, path));
  }
}
