import { NoRoomError, type Db } from './database.ts';

/** Free for what is not a submit: acks, expiry, the trees' own pages. */
const RESERVE_BYTES = 256 * 1024;

/**
 * How much relay.db may still grow. Every row of the log is on its way into the tables, where it takes about the same room
 * again; a submit is taken only if there is room for both, so that a full file always empties by itself.
 */
export type Room = {
  /** How many rows the log has. */
  readonly rows: number;
  /** Throws NoRoomError if rows of these lengths, which the transaction has added, are too many. */
  claim(sizes: readonly number[]): void;
  /** Rows of these lengths are in the log. */
  logged(sizes: readonly number[]): void;
  /** So many of the log's first rows are gone. */
  cut(rows: number): void;
};

/** `maxBytes` absent: as far as the disk goes. */
export function createRoom(db: Db, maxBytes: number | undefined): Room {
  const pageSize = Number(db.pragma('page_size', { simple: true }));
  if (maxBytes !== undefined) db.pragma(`max_page_count = ${Math.floor(maxBytes / pageSize)}`);
  let log: number[] = [];
  let bytes = 0;

  const used = (): number => {
    const pages = Number(db.pragma('page_count', { simple: true }));
    return (pages - Number(db.pragma('freelist_count', { simple: true }))) * pageSize;
  };

  return {
    get rows() {
      return log.length;
    },
    claim(sizes) {
      if (maxBytes === undefined) return;
      const waiting = bytes + sizes.reduce((sum, size) => sum + size, 0);
      if (used() + waiting + RESERVE_BYTES > maxBytes) throw new NoRoomError('relay.db is full');
    },
    logged(sizes) {
      log.push(...sizes);
      for (const size of sizes) bytes += size;
    },
    cut(rows) {
      const gone = log.slice(0, Math.max(0, rows));
      for (const size of gone) bytes -= size;
      log = log.slice(gone.length);
    },
  };
}
