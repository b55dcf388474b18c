import type { Runtime } from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey } from '../device-key.ts';
import { applyEvent } from '../engine/apply.ts';
import type { EngineContext } from '../engine/context.ts';
import type { RelayEvent } from '../engine/events.ts';
import { entries, heads } from '../engine/heads.ts';
import { ackMailbox, dropMailbox, expire, openMailbox, readMailbox } from '../engine/mailbox.ts';
import { submit, submitDirect } from '../engine/submit.ts';
import { createListeners } from '../listeners.ts';
import type { MailboxStore } from '../mailbox-store.ts';
import type { NewestList } from '../rules/device-sets.ts';
import type { StoreLimits } from '../store-limits.ts';
import { forgetDue, recordsOf } from './records.ts';
import type { RelayState } from './state.ts';

/** How often, at most, everything is looked through for what is due; what a call touches is always looked at. */
const SWEEP_EVERY_MS = 3_600_000;

/** Counters, entries and mailboxes in memory. Each call runs to its end before another starts. */
export function createMemoryMailboxes(
  state: RelayState,
  o: { readonly runtime: Runtime; readonly newestList: NewestList; readonly limits: StoreLimits },
): MailboxStore {
  const records = recordsOf(state.data);
  const listeners = createListeners();
  const { limits, newestList, runtime } = o;
  let sweptMs = runtime.clock.now();

  const runNow = <T>(work: (context: EngineContext) => T): T => {
    const nowMs = runtime.clock.now();
    const touched = new Map<string, DeviceKey>();
    const record = (event: RelayEvent): void => {
      applyEvent(records, event, limits);
      if (event.type !== 'committed' && event.type !== 'direct') return;
      for (const { device } of event.deliveries) touched.set(deviceKeyText(device), device);
    };
    const { incarnation } = state;
    const context = { records, record, newestList, incarnation, nowMs, randomBytes: runtime.randomBytes, limits };
    if (Math.abs(nowMs - sweptMs) >= SWEEP_EVERY_MS) {
      sweptMs = nowMs;
      for (const { key } of state.data.mailboxes.values()) expire(context, key);
      forgetDue(state.data, nowMs, limits);
    }
    const answer = work(context);
    for (const device of touched.values()) listeners.wake(device);
    return answer;
  };
  const run = <T>(work: (context: EngineContext) => T): Promise<T> => new Promise((resolve) => resolve(runNow(work)));

  return {
    submit: (asked) => run((context) => submit(context, asked)),
    submitDirect: (asked) => run((context) => submitDirect(context, asked)),
    open: (device, committed) => run((context) => openMailbox(context, device, committed)),
    read: (device, after, max) => run((context) => readMailbox(context, device, after, max)),
    ack: (device, committed) => run((context) => ackMailbox(context, device, committed)),
    listen: (device, wake) => listeners.add(device, wake),
    heads: (handles) => run((context) => heads(context, handles)),
    entries: (handle, era, numbers, asker) => run((context) => entries(context, { handle, era, numbers, asker })),
    drop: (device) => run((context) => dropMailbox(context, device)),
    check: () => Promise.resolve(),
  };
}
