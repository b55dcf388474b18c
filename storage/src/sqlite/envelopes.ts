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
  heads(device: DeviceKey, from: number): Iterable<RowHead>;
  read(device: DeviceKey, after: number): Iterable<MailboxRow>;

  // For one transaction that brings a mailbox up to date, in this order.
  /** Takes the device's mailbox away from it: its envelopes become garbage. */
  abandon(device: DeviceKey): void;
  delete(device: DeviceKey, number: number): void;
  /** Deletes at once what is little, and leaves the rest as garbage. */
  deleteUpTo(device: DeviceKey, upTo: number): void;
  /** The device's mailbox is in its table. Rows with the same envelope bytes may share them on disk. */
  insert(device: DeviceKey, row: MailboxRow): void;

  /** Deletes a little of the garbage, in the caller's transaction. Whether there was any. */
  collect(): boolean;
};

export function createEnvelopes(db: Db): Envelopes {
  const id = (box: string, place: string) => `(CAST(${box} AS INTEGER) << 31) | CAST(${place} AS INTEGER)`;
  const boxOf = db.prepare('SELECT box FROM mailbox WHERE account = ? AND device = ? AND added_in = ?').pluck();
  const heads = db.prepare(`
    SELECT id & ${MAX_NUMBER} AS number, sender, committed_ms, bytes FROM envelope
    WHERE id >= ${id('?1', '?2')} AND id < ${id('?1 + 1', '0')} ORDER BY id LIMIT ${HEADS_PER_QUERY}`);
  const rows = db.prepare(`
    SELECT e.id & ${MAX_NUMBER} AS number, sender, committed_ms, coalesce(e.envelope, s.envelope) AS envelope
    FROM envelope e LEFT JOIN shared_envelope s ON s.id = e.shared
    WHERE e.id >= ${id('?1', '?2')} AND e.id < ${id('?1 + 1', '0')} ORDER BY e.id LIMIT ${ROWS_PER_QUERY}`);
  const removeBox = db.prepare('DELETE FROM mailbox WHERE box = ?');
  const addGarbage = db.prepare(`
    INSERT INTO garbage VALUES (?, ?) ON CONFLICT (box) DO UPDATE SET up_to = max(up_to, excluded.up_to)`);
  const someGarbage = db.prepare('SELECT box, up_to FROM garbage LIMIT 1');
  const noGarbage = db.prepare('DELETE FROM garbage WHERE box = ? AND up_to = ?');
  const removeOne = db.prepare(`DELETE FROM envelope WHERE id = ${id('?1', '?2')}`);
  const removeSome = db.prepare(`
    DELETE FROM envelope WHERE id IN (
      SELECT id FROM envelope WHERE id BETWEEN ${id('?1', '0')} AND ${id('?1', '?2')} ORDER BY id LIMIT ${DELETED_AT_ONCE})`);
  const insert = db.prepare(`INSERT OR REPLACE INTO envelope VALUES (${id('?1', '?2')}, ?3, ?4, ?5, ?6, ?7)`);
  const insertShared = db.prepare('INSERT INTO shared_envelope (committed_ms, envelope) VALUES (?, ?)');
