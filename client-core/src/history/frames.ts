import { compareSequences, limits, parseEra, type EraNumber, type Sequence } from '@waxwing/protocol';
import type { Range, Ranges } from '../sync/ranges.ts';
import type { Db, Row } from './database.ts';
import type { Memo } from './memo.ts';
import { blob, blobOrNull, integer, integerOrNull, textOrNull } from './row.ts';

/**
 * `ciphertextHash` is null for own frames, `stands` until one is accepted. `prev` is the hash that it names as the one
 * before, there only while that one is not here; `replaces` the hashes that it stands for.
 */
export type FrameRow = {
  readonly hash: Uint8Array;
  readonly ciphertextHash: Uint8Array | null;
  readonly stands: Sequence | null;
  readonly prev?: Uint8Array;
  readonly replaces?: readonly Uint8Array[];
};

/** A place under an n of a device; `isOther` where another attempt stands there than the frame that is kept. */
type Place = Sequence & { readonly isOther: boolean };

/** The newest frame that is held of a device in an epoch; none: n is 0. */
type Newest = { readonly n: number; readonly frame?: FrameRow };

/** The highest n of a device that was given a place, or 0; `at` is that place where it is known to be the only one. */
type NewestPlace = { readonly n: number; readonly at?: Sequence };

/**
 * Frames by their sending device and n, and which stand at which sequence. Most come in order, each behind the last: what
 * is newest is remembered, so that for these the file is not asked what cannot be there.
 */
export class FrameStore {
  readonly #db: Db;
  /** By epoch and party. */
  readonly #newest: Memo<Newest>;
  readonly #newestPlaces: Memo<NewestPlace>;
  /** By epoch. */
  readonly #lastPlaces: Memo<Sequence>;

  constructor(db: Db) {
    this.#db = db;
    this.#newest = db.memo();
    this.#newestPlaces = db.memo();
    this.#lastPlaces = db.memo();
  }

  frame(epoch: number, party: number, n: number): FrameRow | undefined {
    const newest = this.#newestOf(epoch, party);
    return n >= newest.n ? (n === newest.n ? newest.frame : undefined) : this.#frame(epoch, party, n);
  }

  #newestOf(epoch: number, party: number): Newest {
    return this.#newest.of(`${epoch}.${party}`, () => {
      const row = this.#db.get(
        'SELECT n FROM frame WHERE epoch = ? AND party = ? ORDER BY n DESC LIMIT 1',
        epoch,
        party,
      );
      const n = row ? integer(row, 'n') : 0;
      const frame = row && this.#frame(epoch, party, n);
      return { n, ...(frame && { frame }) };
    });
  }

  #frame(epoch: number, party: number, n: number): FrameRow | undefined {
    const row = this.#db.get(
      'SELECT hash, ciphertext_hash, prev, replaces, era, number FROM frame WHERE epoch = ? AND party = ? AND n = ?',
      epoch,
      party,
      n,
    );
    if (row === undefined) return undefined;
    const [era, prev, replaces] = [integerOrNull(row, 'era'), blobOrNull(row, 'prev'), blobOrNull(row, 'replaces')];
    return {
      hash: blob(row, 'hash'),
      ciphertextHash: blobOrNull(row, 'ciphertext_hash'),
      stands: era === null ? null : { era: parseEra(era), number: integer(row, 'number') },
      ...(prev && { prev }),
      ...(replaces && { replaces: toHashes(replaces) }),
    };
  }

  insertFrame(epoch: number, party: number, n: number, frame: FrameRow): void {
    const key = `${epoch}.${party}`;
    const newest = this.#newestOf(epoch, party);
    this.#db.run(
      `INSERT INTO frame (epoch, party, n, hash, ciphertext_hash, prev, replaces, era, number)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      epoch,
      party,
      n,
      frame.hash,
      frame.ciphertextHash,
      frame.prev ?? null,
      frame.replaces && frame.replaces.length > 0 ? Buffer.concat(frame.replaces) : null,
      frame.stands?.era ?? null,
      frame.stands?.number ?? null,
    );
    if (n <= newest.n) return;
    const { replaces = [], ...rest } = frame;
    this.#newest.set(key, { n, frame: { ...rest, ...(replaces.length > 0 && { replaces }) } });
  }

  #changed(epoch: number, party: number): void {
    this.#newest.drop(`${epoch}.${party}`);
  }

  /** Where a frame stands, of the places that it has. */
  setStands(epoch: number, party: number, n: number, sequence: Sequence): void {
    this.#changed(epoch, party);
    this.#db.run(
      'UPDATE frame SET era = ?, number = ? WHERE epoch = ? AND party = ? AND n = ?',
      sequence.era,
      sequence.number,
      epoch,
      party,
      n,
    );
  }

  /** What a frame names as the one before was compared. */
  clearPrev(epoch: number, party: number, n: number): void {
    this.#changed(epoch, party);
    this.#db.run('UPDATE frame SET prev = NULL WHERE epoch = ? AND party = ? AND n = ?', epoch, party, n);
  }

  /** Another attempt under this n came: what follows may name it or what it stands for. At most `replacesPerFrame` are kept. */
  addReplaces(epoch: number, party: number, n: number, frame: Pick<FrameRow, 'hash' | 'replaces'>): void {
    const before = this.frame(epoch, party, n)?.replaces ?? [];
    this.#changed(epoch, party);
    const all = [...before, frame.hash, ...(frame.replaces ?? [])].slice(0, limits.replacesPerFrame);
    this.#db.run(
      'UPDATE frame SET replaces = ? WHERE epoch = ? AND party = ? AND n = ?',
      Buffer.concat(all),
      epoch,
      party,
      n,
    );
  }

  /**
   * The numbers in an era of a device's frame n, of the nearest lower n that has one, and of the nearest higher; of each the
   * first that it was given there.
   */
  aroundN(
    epoch: number,
    party: number,
    era: EraNumber,
    n: number,
  ): { below: number | undefined; same: number | undefined; above: number | undefined } {
    const find = (condition: string): number | undefined => {
      const row = this.#db.get(
        `SELECT number FROM place WHERE epoch = ? AND party = ? AND era = ? AND again < 2 AND ${condition} LIMIT 1`,
        epoch,
        party,
        era,
        n,
      );
      return row && integer(row, 'number');
    };
    const newest = this.#newestPlaceOf(epoch, party);
    if (n > newest.n) {
      const below = newest.at?.era === era ? newest.at.number : find('n < ? ORDER BY n DESC, number DESC');
      return { below, same: undefined, above: undefined };
    }
    return {
      below: find('n < ? ORDER BY n DESC, number DESC'),
      same: find('n = ?'),
      above: find('n > ? ORDER BY n, number'),
    };
  }

  /** Another frame was accepted under an n of this device. */
  setHash(epoch: number, party: number, n: number, hash: Uint8Array): void {
    this.#changed(epoch, party);
    this.#db.run('UPDATE frame SET hash = ? WHERE epoch = ? AND party = ? AND n = ?', hash, epoch, party, n);
  }

  /** The highest n held of a device, or 0. */
  head(epoch: number, party: number): number {
    return this.#newestOf(epoch, party).n;
  }

  /** The highest n of a device that has a place, or 0. */
  acceptedHead(epoch: number, party: number): number {
    const row = this.#db.get(
      'SELECT n FROM frame WHERE epoch = ? AND party = ? AND era IS NOT NULL ORDER BY n DESC LIMIT 1',
      epoch,
      party,
    );
    return row ? integer(row, 'n') : 0;
  }

  /** The next frame of a device above n that has a place. */
  nextPlaced(epoch: number, party: number, n: number): { n: number; sequence: Sequence } | undefined {
    const row = this.#db.get(
      'SELECT n, era, number FROM frame WHERE epoch = ? AND party = ? AND n > ? AND era IS NOT NULL ORDER BY n LIMIT 1',
      epoch,
      party,
      n,
    );
    return row && { n: integer(row, 'n'), sequence: sequenceOf(row) };
  }

  /** The n of a device within a range that are not held, in order. Costs what is held of the range. */
  missingN(epoch: number, party: number, within: Range): Ranges {
    const held = this.#db.all(
      'SELECT n FROM frame WHERE epoch = ? AND party = ? AND n BETWEEN ? AND ? ORDER BY n',
      epoch,
      party,
      within.from,
      within.to,
    );
    const gaps: Range[] = [];
    let next = within.from;
    for (const row of held) {
      const n = integer(row, 'n');
      if (n > next) gaps.push({ from: next, to: n - 1 });
      next = n + 1;
    }
    return next > within.to ? gaps : [...gaps, { from: next, to: within.to }];
  }

  place(epoch: number, sequence: Sequence): { party: number; n: number } | undefined {
    const last = this.lastPlace(epoch);
    if (last === undefined || compareSequences(sequence, last) > 0) return undefined;
    const row = this.#db.get(
      'SELECT party, n FROM place WHERE epoch = ? AND era = ? AND number = ?',
      epoch,
      sequence.era,
      sequence.number,
    );
    return row && { party: integer(row, 'party'), n: integer(row, 'n') };
  }

  /**
   * `again`: the frame has a place already. `otherHash`: of what stands there, where it is another attempt than the frame that
   * is kept under this n.
   */
  insertPlace(
    epoch: number,
    sequence: Sequence,
    party: number,
    n: number,
    o: { readonly again?: boolean; readonly otherHash?: Uint8Array } = {},
  ): void {
    const isTwice = o.again && this.placesOf(epoch, party, n, [sequence.era]).length > 0;
    this.#db.run(
      'INSERT INTO place (epoch, era, number, party, n, other_hash, again) VALUES (?, ?, ?, ?, ?, ?, ?)',
      epoch,
      sequence.era,
      sequence.number,
      party,
      n,
      o.otherHash ?? null,
      isTwice ? 2 : o.again ? 1 : 0,
    );
    const last = this.#lastPlaces.get(epoch);
    if (last && compareSequences(sequence, last) > 0) this.#lastPlaces.set(epoch, sequence);
    const key = `${epoch}.${party}`;
    const newest = this.#newestPlaces.get(key);
    if (newest === undefined || n < newest.n) return;
    this.#newestPlaces.set(key, n > newest.n ? { n, at: sequence } : { n });
  }

  /** A frame that has a place stands at one. */
  #newestPlaceOf(epoch: number, party: number): NewestPlace {
    return this.#newestPlaces.of(`${epoch}.${party}`, () => ({ n: this.acceptedHead(epoch, party) }));
  }

  /**
   * Where the frames of a device next before and after n stand, in any of these eras: of the one before the lowest place, of
   * the one after the highest. A store that forgot has given a frame places in two eras.
   */
  neighbours(
    epoch: number,
    party: number,
    n: number,
    eras: readonly EraNumber[],
  ): { before?: Sequence; after?: Sequence } {
    const row = this.#db.get(
      'SELECT n FROM frame WHERE epoch = ? AND party = ? AND n < ? AND era IS NOT NULL ORDER BY n DESC LIMIT 1',
      epoch,
      party,
      n,
    );
    const next = this.nextPlaced(epoch, party, n);
    const before = row && this.placesOf(epoch, party, integer(row, 'n'), eras)[0];
    const after = next && this.placesOf(epoch, party, next.n, eras).at(-1);
    return { ...(before && { before }), ...(after && { after }) };
  }

  /** The frames that were given a place again. */
  repeated(epoch: number): { party: number; n: number }[] {
    const rows = this.#db.all('SELECT DISTINCT party, n FROM place WHERE epoch = ? AND again > 0', epoch);
    return rows.map((row) => ({ party: integer(row, 'party'), n: integer(row, 'n') }));
  }

  /** How many places were given to frames that had one. */
  placesAgain(epoch: number): number {
    const row = this.#db.get('SELECT count(*) AS count FROM place WHERE epoch = ? AND again > 0', epoch);
    return row ? integer(row, 'count') : 0;
  }

  /** Takes a frame from a place that is not the one where it stands. */
  removePlace(epoch: number, sequence: Sequence): void {
    this.#db.run('DELETE FROM place WHERE epoch = ? AND era = ? AND number = ?', epoch, sequence.era, sequence.number);
    this.#lastPlaces.drop(epoch);
  }

  /** The places of a frame in these eras, in order. */
  placesOf(epoch: number, party: number, n: number, eras: readonly EraNumber[]): Place[] {
    return eras.flatMap((era) => {
      const rows = this.#db.all(
        'SELECT number, other_hash FROM place WHERE epoch = ? AND party = ? AND era = ? AND n = ? ORDER BY number',
        epoch,
        party,
        era,
        n,
      );
      return rows.map((row) => ({
        era,
        number: integer(row, 'number'),
        isOther: blobOrNull(row, 'other_hash') !== null,
      }));
    });
  }

  /** The highest sequence that has a frame. */
  lastPlace(epoch: number): Sequence | undefined {
    return this.#lastPlaces.of(epoch, () => {
      const row = this.#db.get(
        'SELECT era, number FROM place WHERE epoch = ? ORDER BY era DESC, number DESC LIMIT 1',
        epoch,
      );
      return row && sequenceOf(row);
    });
  }

  /**
   * What `seen` is a hash of: for each number from `from` to `to` of an era at which a frame stands, in order, the number as
   * 8 bytes big-endian and the hash of the frame. SQLite writes them in one row: as rows, they would be most of the cost
   * of a message.
   */
  seenEntries(epoch: number, era: EraNumber, from: number, to: number): Uint8Array {
    const row = this.#db.get(
      `SELECT group_concat(entry, '') AS entries FROM
         (SELECT printf('%016x', place.number) || hex(coalesce(place.other_hash, frame.hash)) AS entry FROM place
          JOIN frame ON frame.epoch = place.epoch AND frame.party = place.party AND frame.n = place.n
          WHERE place.epoch = ? AND place.era = ? AND place.number BETWEEN ? AND ? ORDER BY place.number)`,
      epoch,
      era,
      from,
      to,
    );
    return Buffer.from((row && textOrNull(row, 'entries')) ?? '', 'hex');
  }
}

function toHashes(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / 32 }, (_, index) => bytes.subarray(index * 32, index * 32 + 32));
}

function sequenceOf(row: Row): Sequence {
  return { era: parseEra(integer(row, 'era')), number: integer(row, 'number') };
}
