import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { PAGE_BYTES } from '../../client-core/src/history/first-page.ts';

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + PAGE_BYTES;
/** Where a log's header and each of its frames have the salts of its round. */
const [HEADER_SALTS_AT, FRAME_SALTS_AT, SALTS_BYTES] = [16, 8, 8];

/** What a disk holds of a device's file, between two transactions. Good until the next is taken. */
export type DiskImage = {
  /** Writes it under another name, as another process would find it. */
  writeTo(path: string): void;
};

/**
 * Takes images of one device's file. A log is written on behind what it has, and the file from the log alone, until the log
 * begins a new round: so the file is read once a round, and of the log what belongs to the round.
 */
export function createImager(): { take(path: string): DiskImage } {
  let file = Buffer.alloc(0);
  let round: string | undefined;
  let space = Buffer.alloc(0);

  function readRound(log: number): Buffer {
    const { size } = fstatSync(log);
    const salts = Buffer.alloc(SALTS_BYTES);
    const frame = Buffer.alloc(SALTS_BYTES);
    readSync(log, salts, 0, SALTS_BYTES, HEADER_SALTS_AT);
    // Frames of an earlier round lie behind those of this one.
    let [own, end] = [0, Math.max(0, Math.floor((size - HEADER_BYTES) / FRAME_BYTES))];
    while (own < end) {
      const middle = Math.floor((own + end) / 2);
      readSync(log, frame, 0, SALTS_BYTES, HEADER_BYTES + middle * FRAME_BYTES + FRAME_SALTS_AT);
      if (frame.equals(salts)) own = middle + 1;
      else end = middle;
    }
    const length = size < HEADER_BYTES ? 0 : HEADER_BYTES + own * FRAME_BYTES;
    if (space.length < length) space = Buffer.allocUnsafe(2 * length);
    readSync(log, space, 0, length, 0);
    return space.subarray(0, length);
  }

  function readLog(path: string): Buffer | undefined {
    if (!existsSync(path)) return undefined;
    const log = openSync(path, 'r');
    try {
      return readRound(log);
    } finally {
      closeSync(log);
    }
  }

  return {
    take(path) {
      const log = readLog(`${path}-wal`);
      const now = log && log.length > 0 ? `${path} ${log.toString('hex', 0, HEADER_BYTES)}` : undefined;
      if (now === undefined || now !== round) file = readFileSync(path);
      round = now;
      const taken = file;
      return {
        writeTo(next) {
          writeFileSync(next, taken);
          if (log) writeFileSync(`${next}-wal`, log);
        },
      };
    },
  };
}
