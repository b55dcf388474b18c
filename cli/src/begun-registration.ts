import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Profile } from './profile.ts';

/** What a registration was asked for. */
export type AskedFor = { readonly server: string; readonly username?: string };

/**
 * The note of a registration that has no outcome yet: `registering.json`. Written before the first request, taken away
 * when the server has made the account or refused it.
 */
export async function begunRegistration({ folder }: Profile): Promise<AskedFor | undefined> {
  const text = await readFile(noteIn(folder), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('server' in value)) return undefined;
  const username = 'username' in value && typeof value.username === 'string' ? value.username : undefined;
  return { server: String(value.server), ...(username !== undefined && { username }) };
}

export async function noteRegistration({ folder }: Profile, asked: AskedFor): Promise<void> {
  await writeFile(noteIn(folder), `${JSON.stringify(asked)}\n`, { mode: 0o600, flush: true });
}

/** Idempotent. */
export async function forgetRegistration({ folder }: Profile): Promise<void> {
  await rm(noteIn(folder), { force: true });
}

function noteIn(folder: string): string {
  return join(folder, 'registering.json');
}
