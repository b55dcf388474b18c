import { handleToBytes, uuidToBytes, type Handle, type Mark, type MarkReason } from '@waxwing/protocol';
import { deviceKeyText, isSameDevice, type DeviceKey } from '../device-key.ts';
import { keyText, type Mailbox, type MemoryKey, type SeenKey, type Share, type ShareKey } from '../engine/records.ts';
import type { Counter, SenderMemory } from '../rules/counter.ts';
import { bucketOfDevice, bucketOfHandle } from './buckets.ts';
import { deviceParameters, number, blob, optionalNumber, sequence, text, toRow } from './columns.ts';
import type { Db } from './database.ts';
import { decodeResults, encodeResults } from './results-codec.ts';
import type { SqlTable } from './tail-table.ts';

/** How the records of relay.db stand in its tables. */
export type RelayTables = {
  readonly counters: SqlTable<Handle, Counter>;
  readonly memories: SqlTable<MemoryKey, SenderMemory>;
  readonly mailboxes: SqlTable<DeviceKey, Mailbox>;
  readonly shares: SqlTable<ShareKey, Share>;
  readonly seen: SqlTable<SeenKey, number>;
};

export function createRelayTables(db: Db): RelayTables {
  return {
    counters: counters(db),
    memories: memories(db),
    mailboxes: mailboxes(db),
    shares: shares(db),
    seen: seen(db),
  };
}

function counters(db: Db): SqlTable<Handle, Counter> {
  const load = db.prepare('SELECT * FROM counter WHERE handle = ?');
  const save = db.prepare('INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM counter WHERE handle = ?');
  return {
    textOf: (handle) => handle,
    isSame: (a, b) => a === b,
    bucketOf: bucketOfHandle,
    load(handle) {
      const row = toRow(load.get(handleToBytes(handle)));
      if (row === undefined) return undefined;
      const lastChange = optionalNumber(row, 'last_change');
      const hasPredecessor = optionalNumber(row, 'predecessor_era') !== undefined;
      return {
        life: number(row, 'life'),
        last: sequence(row, 'era', 'number'),
        ...(hasPredecessor && { predecessor: sequence(row, 'predecessor_era', 'predecessor_number') }),
        ...(lastChange !== undefined && { lastChange }),
        incarnation: text(row, 'incarnation'),
        usedMs: number(row, 'used_ms'),
      };
    },
    save(handle, { life, last, predecessor, lastChange, incarnation, usedMs }) {
      save.run(
        handleToBytes(handle),
        life,
        last.era,
        last.number,
        predecessor?.era ?? null,
        predecessor?.number ?? null,
        lastChange ?? null,
        incarnation,
        usedMs,
      );
    },
    remove: (handle) => void remove.run(handleToBytes(handle)),
  };
}

function memories(db: Db): SqlTable<MemoryKey, SenderMemory> {
  const where = 'WHERE handle = ? AND account = ? AND device = ? AND added_in = ?';
  const load = db.prepare(`SELECT * FROM sender_memory ${where}`);
  const save = db.prepare('INSERT OR REPLACE INTO sender_memory VALUES (?, ?, ?, ?, ?, ?, ?)');
  const remove = db.prepare(`DELETE FROM sender_memory ${where}`);
  const parameters = ({ handle, sender }: MemoryKey) => [handleToBytes(handle), ...deviceParameters(sender)];
  return {
    textOf: keyText.memory,
    isSame: (a, b) => a.handle === b.handle && isSameDevice(a.sender, b.sender),
    bucketOf: ({ handle }) => bucketOfHandle(handle),
    load(key) {
      const row = toRow(load.get(parameters(key)));
      return (
        row && { life: number(row, 'life'), last: number(row, 'last_n'), results: decodeResults(blob(row, 'results')) }
      );
    },
    save: (key, { life, last, results }) => void save.run(...parameters(key), life, last, encodeResults(results)),
    remove: (key) => void remove.run(parameters(key)),
  };
}

function mailboxes(db: Db): SqlTable<DeviceKey, Mailbox> {
  const columns =
    'incarnation, drawn_under, acked, gone, last, entries, bytes, marks, oldest_ms, redated_up_to, redated_ms';
  const set = columns.replaceAll(/(\w+)/g, '$1 = excluded.$1');
  const load = db.prepare(`SELECT ${columns} FROM mailbox WHERE account = ? AND device = ? AND added_in = ?`);
  const save = db.prepare(`
    INSERT INTO mailbox (box, account, device, added_in, ${columns})
    VALUES ((SELECT 1 + max(coalesce((SELECT max(box) FROM mailbox), 0), coalesce((SELECT max(box) FROM garbage), 0))),
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, device, added_in) DO UPDATE SET ${set}`);
  const remove = db.prepare('DELETE FROM mailbox WHERE account = ? AND device = ? AND added_in = ?');
  return {
    textOf: deviceKeyText,
    isSame: isSameDevice,
    bucketOf: bucketOfDevice,
    load(key) {
      const row = toRow(load.get(deviceParameters(key)));
      if (row === undefined) return undefined;
      const upTo = optionalNumber(row, 'redated_up_to');
      return {
        incarnation: text(row, 'incarnation'),
        drawnUnder: text(row, 'drawn_under'),
        acked: number(row, 'acked'),
        gone: number(row, 'gone'),
        last: number(row, 'last'),
        fill: { entries: number(row, 'entries'), bytes: number(row, 'bytes') },
        marks: decodeMarks(text(row, 'marks')),
        oldestMs: number(row, 'oldest_ms'),
        ...(upTo !== undefined && { redated: { upTo, ms: number(row, 'redated_ms') } }),
      };
    },
    save(key, mailbox) {
      const { incarnation, drawnUnder, acked, gone, last, fill, marks, oldestMs, redated } = mailbox;
      save.run(
        ...deviceParameters(key),
        incarnation,
        drawnUnder,
        acked,
        gone,
        last,
        fill.entries,
        fill.bytes,
        encodeMarks(marks),
        oldestMs,
        redated?.upTo ?? null,
        redated?.ms ?? null,
      );
    },
    remove: (key) => void remove.run(deviceParameters(key)),
  };
}

const reasons: readonly MarkReason[] = ['expired', 'over_quota'];

/** `[[from, to, count, place of the reason], …]` */
function encodeMarks(marks: readonly Mark[]): string {
  return JSON.stringify(marks.map(({ from, to, count, reason }) => [from, to, count, reasons.indexOf(reason)]));
}

function decodeMarks(json: string): Mark[] {
  const marks: unknown = JSON.parse(json);
  if (!Array.isArray(marks)) throw new TypeError('marks are a list');
  return marks.map((mark: unknown) => {
    const [from, to, count, place] = Array.isArray(mark) ? mark.map(Number) : [];
    const reason = reasons[place ?? -1];
    if (from === undefined || to === undefined || count === undefined || !reason) throw new TypeError('a mark');
    return { from, to, count, reason };
  });
}

function shares(db: Db): SqlTable<ShareKey, Share> {
  const where = 'WHERE account = ? AND device = ? AND added_in = ? AND sender = ?';
  const load = db.prepare(`SELECT entries, bytes, first FROM share ${where}`);
  const save = db.prepare('INSERT OR REPLACE INTO share VALUES (?, ?, ?, ?, ?, ?, ?)');
  const remove = db.prepare(`DELETE FROM share ${where}`);
  const parameters = ({ device, sender }: ShareKey) => [...deviceParameters(device), uuidToBytes(sender)];
  return {
    textOf: keyText.share,
    isSame: (a, b) => a.sender === b.sender && isSameDevice(a.device, b.device),
    bucketOf: ({ device }) => bucketOfDevice(device),
    load(key) {
      const row = toRow(load.get(parameters(key)));
      return (
        row && { fill: { entries: number(row, 'entries'), bytes: number(row, 'bytes') }, first: number(row, 'first') }
      );
    },
    save: (key, { fill, first }) => void save.run(...parameters(key), fill.entries, fill.bytes, first),
    remove: (key) => void remove.run(parameters(key)),
  };
}

function seen(db: Db): SqlTable<SeenKey, number> {
  const where = `WHERE account = ? AND device = ? AND added_in = ?
    AND sender_account = ? AND sender_device = ? AND sender_added_in = ? AND message_id = ?`;
  const load = db.prepare(`SELECT taken_ms FROM seen ${where}`);
  const save = db.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const remove = db.prepare(`DELETE FROM seen ${where}`);
  const parameters = ({ device, sender, messageId }: SeenKey) => [
    ...deviceParameters(device),
    ...deviceParameters(sender),
    uuidToBytes(messageId),
  ];
  return {
    textOf: keyText.seen,
    isSame: (a, b) =>
      a.messageId === b.messageId && isSameDevice(a.device, b.device) && isSameDevice(a.sender, b.sender),
    bucketOf: ({ device }) => bucketOfDevice(device),
    load(key) {
      const row = toRow(load.get(parameters(key)));
      return row && number(row, 'taken_ms');
    },
    save: (key, takenMs) => void save.run(...parameters(key), takenMs),
    remove: (key) => void remove.run(parameters(key)),
  };
}
