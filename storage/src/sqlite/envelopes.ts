import { uuidToBytes } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';
import type { MailboxRow, RowHead } from '../engine/records.ts';
import { account, blob, deviceParameters, number, toRow } from './columns.ts';
import type { Db } from './database.ts';

/** A box is at most this full of numbers. */
export const MAX_NUMBER = 2 ** 31 - 1;

/** How many rows one query reads, and how many one transaction deletes of a range. */
const HEADS_PER_QUERY = 256;
const ROWS_PER_QUERY = 16;
const DELETED_AT_ONCE = 128;

/** The entries of mailboxes on disk, in the table envelope. */
export type Envelopes = {
  heads(device: DeviceKey, from: number, upTo: number): Iterable<RowHead>;
  read(device: DeviceKey, after: number): Iterable<MailboxRow>;

  // For one transaction that brings a mailbox up to date, in this order.
  /** Takes the device's mailbox away from it: its envelopes become garbage. */
  abandon(device: DeviceKey): void;
  delete(device: DeviceKey, number: number): void;
  /** Deletes at once what is little, and leaves the rest as garbage. */
  deleteUpTo(device: DeviceKey, upTo: number): void;
  /** The device's mailbox is in its table. */
  insert(device: DeviceKey, rows: readonly MailboxRow[]): void;
  /** Whether the transaction became durable. */
  ended(durable: boolean): void;

  /** These bytes go to several mailboxes: on disk they stand once. */
  share(envelope: Uint8Array): void;

  /** Deletes a little of the garbage, in the caller's transaction. Whether there was any. */
  collect(): boolean;
};

export function createEnvelopes(db: Db): Envelopes {
  const id = '(CAST(? AS INTEGER) << 31) | CAST(? AS INTEGER)';
  const boxOf = db.prepare('SELECT box FROM mailbox WHERE account = ? AND device = ? AND added_in = ?').pluck();
  const heads = db.prepare(`
    SELECT id & ${MAX_NUMBER} AS number, sender, committed_ms, bytes FROM envelope
    WHERE id >= ${id} AND id <= ${id} ORDER BY id LIMIT ${HEADS_PER_QUERY}`);
  const rows = db.prepare(`
    SELECT e.id & ${MAX_NUMBER} AS number, e.sender, e.committed_ms, coalesce(e.envelope, s.envelope) AS envelope
    FROM envelope e LEFT JOIN shared_envelope s ON s.id = e.shared
    WHERE e.id >= ${id} AND e.id <= ${id} ORDER BY e.id LIMIT ${ROWS_PER_QUERY}`);
  const removeBox = db.prepare('DELETE FROM mailbox WHERE box = ?');
  const addGarbage = db.prepare(`
    INSERT INTO garbage VALUES (?, ?) ON CONFLICT (box) DO UPDATE SET up_to = max(up_to, excluded.up_to)`);
  const someGarbage = db.prepare('SELECT box, up_to FROM garbage LIMIT 1');
  const noGarbage = db.prepare('DELETE FROM garbage WHERE box = ? AND up_to = ?');
  const removeOne = db.prepare(`DELETE FROM envelope WHERE id = ${id}`);
  const removeSome = db.prepare(`
    DELETE FROM envelope WHERE id IN (
      SELECT id FROM envelope WHERE id >= ${id} AND id <= ${id} ORDER BY id LIMIT ${DELETED_AT_ONCE})`);
  const insert = db.prepare(`INSERT OR REPLACE INTO envelope VALUES (${id}, ?, ?, ?, ?, ?)`);
  const insertShared = db.prepare('INSERT INTO shared_envelope (committed_ms, envelope) VALUES (?, ?)');

  /** The id on disk of each envelope that is shared; none before the first mailbox with it is written. */
  const shared = new WeakMap<Uint8Array, { id?: number }>();
  let begun: { id?: number }[] = [];

  const boxFor = (device: DeviceKey): number | undefined => {
    const box = boxOf.get(deviceParameters(device));
    return typeof box === 'number' ? box : undefined;
  };
  const idOf = (place: { id?: number }, row: MailboxRow): number => {
    if (place.id !== undefined) return place.id;
    place.id = Number(insertShared.run(row.committedMs, row.envelope).lastInsertRowid);
    begun.push(place);
    return place.id;
  };

  return {
    *heads(device, from, upTo) {
      const box = boxFor(device);
      let next = from;
      while (box !== undefined) {
        const found = heads.all(box, next, box, upTo).map(toHead);
        yield* found;
        const last = found.at(-1);
        if (last === undefined || found.length < HEADS_PER_QUERY) return;
        next = last.number + 1;
      }
    },
    *read(device, after) {
      const box = boxFor(device);
      let next = after + 1;
      while (box !== undefined) {
        const found = rows.all(box, next, box, MAX_NUMBER).map(toMailboxRow);
        yield* found;
        const last = found.at(-1);
        if (last === undefined || found.length < ROWS_PER_QUERY) return;
        next = last.number + 1;
      }
    },
    abandon(device) {
      const box = boxFor(device);
      if (box === undefined) return;
      removeBox.run(box);
      addGarbage.run(box, MAX_NUMBER);
    },
    delete(device, number) {
      const box = boxFor(device);
      if (box !== undefined) removeOne.run(box, number);
    },
    deleteUpTo(device, upTo) {
      const box = boxFor(device);
      if (box === undefined) return;
      if (removeSome.run(box, 0, box, upTo).changes >= DELETED_AT_ONCE) addGarbage.run(box, upTo);
    },
    insert(device, rows) {
      if (rows.length === 0) return;
      const box = boxFor(device);
      if (box === undefined) throw new Error('a mailbox is written before its envelopes');
      for (const row of rows) {
        const { number, sender, committedMs, envelope } = row;
        const place = shared.get(envelope);
        const sharedId = place ? idOf(place, row) : null;
        const inline = place ? null : envelope;
        insert.run(box, number, uuidToBytes(sender), committedMs, envelope.length, inline, sharedId);
      }
    },
    ended(durable) {
      if (!durable) for (const place of begun) delete place.id;
      begun = [];
    },
    share(envelope) {
      if (!shared.has(envelope)) shared.set(envelope, {});
    },
    collect() {
      const row = toRow(someGarbage.get());
      if (row === undefined) return false;
      const [box, upTo] = [number(row, 'box'), number(row, 'up_to')];
      if (removeSome.run(box, 0, box, upTo).changes < DELETED_AT_ONCE) noGarbage.run(box, upTo);
      return true;
    },
  };
}

function toHead(value: unknown): RowHead {
  const row = toRow(value) ?? {};
  return {
    number: number(row, 'number'),
    sender: account(row, 'sender'),
    committedMs: number(row, 'committed_ms'),
    bytes: number(row, 'bytes'),
  };
}

function toMailboxRow(value: unknown): MailboxRow {
  const row = toRow(value) ?? {};
  return {
    number: number(row, 'number'),
    sender: account(row, 'sender'),
    committedMs: number(row, 'committed_ms'),
    envelope: blob(row, 'envelope'),
  };
}
