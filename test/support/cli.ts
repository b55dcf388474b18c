import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunningProcess, type Exit } from './processes.ts';

/** Starts `waxwing` with these arguments. */
export function waxwing(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningProcess {
  return new RunningProcess('cli/src/main.ts', args, env);
}

/** What a command that ended had to say. */
export type Said = Exit & { readonly lines: readonly string[]; readonly errors: string };

/** Runs `waxwing` to its end, with an input that is given whole. */
export async function runCommand(args: readonly string[], input?: readonly string[]): Promise<Said> {
  const one = waxwing(args);
  if (input) one.write(...input);
  one.endInput();
  const exit = await one.exit();
  return { ...exit, lines: one.lines, errors: one.errors };
}

/** Starts a server and resolves with where it listens. */
export async function startServe(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const server = waxwing(['serve', ...args], env);
  const line = await server.line((text) => text.includes('waxwing listens on'));
  return { server, url: line.replace(/^.* on /, '') };
}

/** A folder for one test run, and how it goes away. */
export function temporaryFolder(name: string): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `waxwing-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Registers a device and resolves with its account and profile. */
export async function registerProfile(url: string, folder: string, username?: string) {
  const named = username === undefined ? [] : ['--username', username];
  const { code, lines, errors } = await runCommand(['register', '--server', url, '--profile', folder, ...named]);
  if (code !== 0) throw new Error(errors);
  const { account } = parsed(lines[0]);
  if (typeof account !== 'string') throw new Error('no account');
  return { account, profile: folder };
}

/** A JSON line of a command. */
export function parsed(line: string | undefined): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line ?? '');
  if (typeof value !== 'object' || value === null) throw new Error('no JSON object');
  return { ...value };
}
