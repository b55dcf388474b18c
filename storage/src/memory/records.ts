import type { Handle } from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey } from '../device-key.ts';
import {
  keyText,
  type EntryKey,
  type HeldEntry,
  type Mailbox,
  type MailboxRow,
  type MemoryKey,
  type Records,
  type RowHead,
  type SeenKey,
  type Share,
  type ShareKey,
  type Table,
} from '../engine/records.ts';
import type { Counter, SenderMemory } from '../rules/counter.ts';
import { isPast } from '../rules/expiry.ts';
import type { StoreLimits } from '../store-limits.ts';

type Kept<Key, Value> = Map<string, { readonly key: Key; readonly value: Value }>;

/** Counters, entries and mailboxes as plain data, by the text of their keys. */
export type RelayData = {
  readonly counters: Kept<Handle, Counter>;
  readonly memories: Kept<MemoryKey, SenderMemory>;
  readonly entries: Kept<EntryKey, HeldEntry>;
  readonly mailboxes: Kept<DeviceKey, Mailbox>;
  readonly shares: Kept<ShareKey, Share>;
  readonly seen: Kept<SeenKey, number>;
  /** In the order of their numbers, since rows are only ever appended. */
  readonly rows: Map<string, Map<number, MailboxRow>>;
};

export function createRelayData(): RelayData {
  return {
    counters: new Map(),
    memories: new Map(),
    entries: new Map(),
    mailboxes: new Map(),
    shares: new Map(),
    seen: new Map(),
    rows: new Map(),
  };
}

export function recordsOf(data: RelayData): Records {
  return {
    counters: table(data.counters, (handle) => handle),
    memories: table(data.memories, keyText.memory),
    entries: table(data.entries, keyText.entry),
    mailboxes: table(data.mailboxes, deviceKeyText),
    shares: table(data.shares, keyText.share),
    seen: table(data.seen, keyText.seen),
    rows: rowsOf(data.rows),
  };
}

/** Forgets what is past its lifetime, apart from what is in mailboxes. */
export function forgetDue(data: RelayData, nowMs: number, limits: StoreLimits): void {
  forget(data.entries, ({ value }) => isPast(value.committedMs, nowMs, limits.mailboxTtlMs));
  forget(data.seen, ({ value }) => isPast(value, nowMs, limits.directDedupeMs));
  forget(data.counters, ({ value }) => value.usedMs + limits.counterTtlMs <= nowMs);
  forget(data.memories, ({ key, value }) => data.counters.get(key.handle)?.value.life !== value.life);
}

function forget<T>(kept: Map<string, T>, isDue: (record: T) => boolean): void {
  for (const [text, record] of kept) if (isDue(record)) kept.delete(text);
}

function table<Key, Value>(kept: Kept<Key, Value>, textOf: (key: Key) => string): Table<Key, Value> {
  return {
    get: (key) => kept.get(textOf(key))?.value,
    set: (key, value) => void kept.set(textOf(key), { key, value }),
    delete: (key) => void kept.delete(textOf(key)),
  };
}

function rowsOf(mailboxes: RelayData['rows']): Records['rows'] {
  const of = (device: DeviceKey): ReadonlyMap<number, MailboxRow> => mailboxes.get(deviceKeyText(device)) ?? new Map();
  return {
    append(device, row) {
      const text = deviceKeyText(device);
      mailboxes.set(text, (mailboxes.get(text) ?? new Map<number, MailboxRow>()).set(row.number, row));
    },
    *heads(device, from, upTo = Infinity): Iterable<RowHead> {
      for (const { number, sender, committedMs, envelope } of of(device).values()) {
        if (number > upTo) return;
        if (number >= from) yield { number, sender, committedMs, bytes: envelope.length };
      }
    },
    *read(device, after) {
      for (const row of of(device).values()) if (row.number > after) yield row;
    },
    delete: (device, number) => void mailboxes.get(deviceKeyText(device))?.delete(number),
    deleteUpTo(device, upTo) {
      const rows = mailboxes.get(deviceKeyText(device));
      for (const number of rows?.keys() ?? []) {
        if (number > upTo) break;
        rows?.delete(number);
      }
    },
    drop: (device) => void mailboxes.delete(deviceKeyText(device)),
  };
}
