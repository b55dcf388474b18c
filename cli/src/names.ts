import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAccountId, type AccountId } from '@waxwing/protocol';
import type { Profile } from './profile.ts';

const MOST_NAMES = 1_000;

/**
 * The usernames that were typed in this profile and the accounts that the server named for them: `names.json`. They are
 * for showing, and for what works without the server; a message is addressed by asking the server.
 */
export type Names = {
  account(username: string): AccountId | undefined;
  /** As it was typed last. */
  username(account: AccountId): string | undefined;
  /** Idempotent. */
  keep(username: string, account: AccountId): Promise<void>;
};

export async function openNames({ folder }: Profile): Promise<Names> {
  const path = join(folder, 'names.json');
  const names = new Map<string, AccountId>(read(await readFile(path, 'utf8').catch(() => '{}')));
  return {
    account: (username) => names.get(username.toLowerCase()),
    username: (account) => [...names].reverse().find(([, named]) => named === account)?.[0],
    async keep(username, account) {
      const name = username.toLowerCase();
      if (names.get(name) === account) return;
      names.delete(name);
      names.set(name, account);
      const kept = [...names].slice(-MOST_NAMES);
      await writeFile(`${path}.new`, `${JSON.stringify(Object.fromEntries(kept))}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}

/** What cannot be read is not known: the server is asked again. */
function read(text: string): [string, AccountId][] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).filter((entry): entry is [string, AccountId] => {
    const account: unknown = entry[1];
    return typeof account === 'string' && isAccountId(account);
  });
}
