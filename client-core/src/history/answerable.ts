import { parseEra, type Sequence } from '@waxwing/protocol';
import type { Range } from '../sync/ranges.ts';
import type { Db, Row } from './database.ts';
import { blobOrNull, integer } from './row.ts';

/** A frame with a place; `bytes` is null where only its hash is kept. */
export type PlacedBytes = {
  readonly party: number;
  readonly n: number;
  readonly sequence: Sequence;
  readonly serverTimeMs: number;
  readonly bytes: Uint8Array | null;
};

const COLUMNS = 'frame.party, frame.n, answerable.bytes, answerable.server_time_ms';
const BYTES = `LEFT JOIN answerable ON answerable.epoch = frame.epoch AND answerable.party = frame.party
  AND answerable.n = frame.n`;

/** The bytes of frames as they were transmitted, kept for as long as others may ask for them. */
export class AnswerableStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** Once for each frame. */
  keep(epoch: number, party: number, n: number, bytes: Uint8Array, serverTimeMs: number, nowMs: number): void {
    this.#db.run(
      `INSERT INTO answerable (epoch, party, n, bytes, server_time_ms, kept_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      epoch,
      party,
      n,
      bytes,
      serverTimeMs,
      nowMs,
    );
  }

  /** The frames placed at these numbers of an era, in order, at most `limit`. */
  atNumbers(epoch: number, era: number, within: Range, limit: number): PlacedBytes[] {
    const rows = this.#db.all(
      `SELECT ${COLUMNS}, place.era, place.number FROM place
       JOIN frame ON frame.epoch = place.epoch AND frame.party = place.party AND frame.n = place.n ${BYTES}
       WHERE place.epoch = ? AND place.era = ? AND place.number BETWEEN ? AND ? ORDER BY place.number LIMIT ?`,
      epoch,
      era,
      within.from,
      within.to,
      limit,
    );
    return rows.map(toPlaced);
  }

  /** The frames of a device by n, in order, at most `limit`: those that stand somewhere. */
  ofDevice(epoch: number, party: number, within: Range, limit: number): PlacedBytes[] {
    const rows = this.#db.all(
      `SELECT ${COLUMNS}, frame.era, frame.number FROM frame ${BYTES}
       WHERE frame.epoch = ? AND frame.party = ? AND frame.n BETWEEN ? AND ? AND frame.era IS NOT NULL
       ORDER BY frame.n LIMIT ?`,
      epoch,
      party,
      within.from,
      within.to,
      limit,
    );
    return rows.map(toPlaced);
  }

  /** Drops at most `limit` that were kept before a time; answers how many. Their hashes stay. */
  prune(beforeMs: number, limit: number): number {
    return this.#db.run(
      'DELETE FROM answerable WHERE id IN (SELECT id FROM answerable WHERE kept_ms < ? ORDER BY kept_ms LIMIT ?)',
      beforeMs,
      limit,
    );
  }
}

function toPlaced(row: Row): PlacedBytes {
  const bytes = blobOrNull(row, 'bytes');
  return {
    party: integer(row, 'party'),
    n: integer(row, 'n'),
    sequence: { era: parseEra(integer(row, 'era')), number: integer(row, 'number') },
    serverTimeMs: bytes === null ? 0 : integer(row, 'server_time_ms'),
    bytes,
  };
}
