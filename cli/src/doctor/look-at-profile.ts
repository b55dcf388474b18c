import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openClient, WaxwingError, type Client } from '@waxwing/client-core';
import { begunRegistration } from '../begun-registration.ts';
import { readProfile } from '../profile.ts';
import type { ProfileFacts } from './facts.ts';
import { openToOthers } from './look-at-data.ts';

const KEY_BYTES = 32;
const ASKED = { method: 'GET', path: '/v1/prekeys/count' } as const;

/** What a look at a profile leaves behind: the open device, where there is one, until `close`. */
export type LookedAtProfile = {
  readonly facts: ProfileFacts;
  /** What the server at this origin says to the device; `ok`, a code, or undefined where it does not answer. */
  ask(url: string): Promise<string | undefined>;
  close(): Promise<void>;
};

export async function lookAtProfile(path: string): Promise<LookedAtProfile> {
  const folder = resolve(path);
  // The other files are of no use without it.
  const open = await openToOthers([join(folder, 'device.key')]);
  const begun = await begunRegistration({ folder, store: { path: '', key: new Uint8Array() } }).catch(() => undefined);
  const facts = { folder, open, isUnfinished: begun !== undefined };
  const { device, client } = await openDevice(folder);
  return {
    facts: { ...facts, device },
    ask: (url) => (client ? ask(client, url) : Promise.resolve(undefined)),
    close: async () => client?.close(),
  };
}

async function openDevice(folder: string): Promise<{ device: ProfileFacts['device']; client?: Client }> {
  const [hasKey, hasStore] = ['device.key', 'device.db'].map((name) => existsSync(join(folder, name)));
  if (!hasKey) return { device: { type: hasStore ? 'no_key' : 'none' } };
  const profile = await readProfile(folder).catch(() => undefined);
  if (!profile) {
    const text = await readFile(join(folder, 'device.key'), 'utf8').catch(() => '');
    return { device: { type: 'bad_key', bytes: text.trim().length / 2 } };
  }
  if (profile.store.key.length !== KEY_BYTES) return { device: { type: 'bad_key', bytes: profile.store.key.length } };
  try {
    const client = await openClient({ store: profile.store });
    return { device: { type: 'there', server: client.server }, client };
  } catch (error) {
    if (!(error instanceof WaxwingError)) throw error;
    return { device: error.code === 'no_device' ? { type: 'none' } : { type: 'refused', code: error.code } };
  }
}

async function ask(client: Client, url: string): Promise<string | undefined> {
  try {
    const token = await client.token({ ...ASKED, server: url });
    const answer = await fetch(`${url}${ASKED.path}`, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'error',
    });
    if (answer.ok) return 'ok';
    const problem: unknown = await answer.json();
    return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : undefined;
  } catch (error) {
    return error instanceof WaxwingError ? error.code : undefined;
  }
}
