import { existsSync } from 'node:fs';
import { NoDeviceError, openClient, WaxwingError, type Client, type ConnectionState } from '@waxwing/client-core';
import { isErrorCode, type Runtime } from '@waxwing/protocol';
import type { Context } from './context.ts';
import { keyIsOpen, noProfile, readProfile, type Profile } from './profile.ts';

const QUIET_MS = 2_000;

/** Opens the device in a profile, runs `work` with it, and closes it whatever happens. */
export async function withDevice<T>(
  { err }: Context,
  folder: string,
  work: (client: Client, profile: Profile) => Promise<T>,
): Promise<T> {
  const profile = await readProfile(folder);
  if (!existsSync(profile.store.path)) throw noProfile(profile.folder);
  if (await keyIsOpen(profile)) await err.line(`others can read the key. Type: chmod 600 ${profile.folder}/device.key`);
  const client = await openClient({ store: profile.store }).catch((error: unknown) => {
    throw error instanceof NoDeviceError ? noProfile(profile.folder) : error;
  });
  try {
    return await work(client, profile);
  } finally {
    await client.close();
  }
}

/**
 * Keeps the client connected from now on, and says when the server is away for longer than a moment, and when it is back.
 * The signal aborts, with the error as its reason, when the connection has ended for good.
 */
export function stayConnected({ timers }: Runtime, client: Client, say: (line: string) => void): AbortSignal {
  const ended = new AbortController();
  let cancel: (() => void) | undefined;
  let isAway = false;
  const look = (): void => {
    const now = client.connection.getSnapshot();
    const final = finalError(now);
    if (final) ended.abort(final);
    if (now.state === 'offline' && !isAway) {
      cancel ??= timers.after(QUIET_MS, () => {
        isAway = true;
        say('the server does not answer; trying again');
      });
    }
    if (now.state !== 'offline' && now.state !== 'connecting') {
      cancel?.();
      cancel = undefined;
      if (isAway && now.state === 'online') say('connected');
      if (now.state === 'online') isAway = false;
    }
  };
  client.connection.subscribe(look);
  client.connect().catch((error: unknown) => ended.abort(error));
  return ended.signal;
}

/** Why a connection does not come back by itself, or undefined where it does. */
function finalError({ state, reason }: ConnectionState): WaxwingError | undefined {
  switch (state) {
    case 'cloned':
    case 'displaced':
      return new WaxwingError(state);
    case 'needs-auth':
      return new WaxwingError(reason !== undefined && isErrorCode(reason) ? reason : 'token_rejected');
    default:
      return undefined;
  }
}
