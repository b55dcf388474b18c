import type { Entry, EraNumber, Handle, Head } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import { liveCounter } from '../rules/counter.ts';
import { isPast } from '../rules/expiry.ts';
import type { EngineContext } from './context.ts';

/** See `MailboxStore.heads`. */
export function heads({ records, nowMs, limits }: EngineContext, handles: readonly Handle[]): Head[] {
  return handles.map((handle) => {
    const counter = liveCounter(records.counters.get(handle), nowMs, limits.counterTtlMs);
    if (counter === undefined) return { handle };
    return { handle, last: counter.last, ...(counter.predecessor && { predecessor: counter.predecessor }) };
  });
}

/** See `MailboxStore.entries`. */
export function entries(
  { records, nowMs, limits }: EngineContext,
  asked: {
    readonly handle: Handle;
    readonly era: EraNumber;
    readonly numbers: readonly number[];
    readonly asker: DeviceKey;
  },
): Entry[] {
  const { handle, era, asker } = asked;
  return asked.numbers.flatMap((number) => {
    const held = records.entries.get({ handle, era, number });
    if (held === undefined || isPast(held.committedMs, nowMs, limits.mailboxTtlMs)) return [];
    if (held.sender.account !== asker.account && !held.accounts.includes(asker.account)) return [];
    return [{ number, sender: { account: held.sender.account, device: held.sender.device }, n: held.n }];
  });
}
