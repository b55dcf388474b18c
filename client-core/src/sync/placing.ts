import { compareSequences, limits, sameBytes, type Sequence } from '@waxwing/protocol';
import type { ChainHoleRow, HoleReason } from '../history/coverage.ts';
import type { NewMessage } from '../history/message-row.ts';
import type { Store } from '../history/store.ts';
import { noteAlarm, type Alarm } from './alarm.ts';
import { contains, count, highest, missing } from './ranges.ts';
import {
  erasOf,
  gaps,
  hold,
  heldBackFrom,
  isReleased,
  know,
  showHole,
  standing,
  toldOf,
  type Arrival,
  type EpochView,
  type Gap,
  type Met,
} from './sequencer.ts';
import { believed } from './seen.ts';
import { standFor, Witness, type FrameClaims } from './witness.ts';

/** A frame that was read, or sent and accepted, and where the relay put it. */
export type PlacedFrame = {
  readonly epoch: number;
  readonly party: number;
  readonly n: number;
  readonly hash: Uint8Array;
  readonly ciphertextHash: Uint8Array | null;
  readonly met: Met;
  /** What a person sees of it; absent for what has no visible effect. */
  readonly message?: NewMessage;
  /** What it says of other frames; absent of an own frame. */
  readonly claims?: FrameClaims;
};

type State = { readonly before: EpochView; readonly conversation: number; view: EpochView };

/** `contradiction`: another frame stands under this n, or at this number. It was not placed. */
export type Placed = 'placed' | 'repeat' | 'contradiction';

/**
 * Puts frames into the history within one transaction: places, coverage, holes, and which messages are shown. Views of
 * epochs are read once and written back by `finish`.
 */
export class Placing {
  readonly #store: Store;
  readonly #nowMs: number;
  readonly #views = new Map<number, State>();
  /** Frames that came when later ones of their device were here. */
  readonly #lower: { readonly epoch: number; readonly party: number; readonly n: number }[] = [];
  readonly #named: { epoch: number; gap: Gap; reason: HoleReason }[] = [];
  readonly touched = new Set<number>();
  readonly filled = new Set<number>();
  readonly opened: { conversation: number; count: number; reason: HoleReason }[] = [];
  released = false;
  /** What was found that an honest relay and honest contacts do not do, each once. */
  readonly alarms: Alarm[] = [];
  readonly witness: Witness;

  constructor(store: Store, nowMs: number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.witness = new Witness(store, {
      contradiction: ({ epoch, party, sequence, what }) => {
        this.alarm({ ...store.parties.address(party), what, at: { epoch, sequence } });
      },
      unheard: (epoch, gaps) => {
        // What the relay does not count any more in an era that is over, it lost.
        const last = this.view(epoch).eras.at(-1)?.era;
        this.give(epoch, gaps, gaps.every(({ era }) => era === last) ? 'awaiting sender' : 'lost');
      },
      view: (epoch) => this.view(epoch),
    });
  }

  view(epoch: number): EpochView {
    return this.#state(epoch).view;
  }

  /** Places a frame at its sequence. Its message is shown as soon as nothing before it is missing. */
  place(frame: PlacedFrame): Placed {
    const { epoch, party, n, met } = frame;
    const { frames, coverage } = this.#store;
    const before = this.view(epoch);
    if (this.isTaken(frame)) return 'contradiction';
    const there = frames.place(epoch, met.sequence);
    const taken = there?.party === party && there.n === n;
    const known = frames.frame(epoch, party, n);
    const isOther = known !== undefined && !sameBytes(known.hash, frame.hash);
    const self = { hash: frame.hash, replaces: frame.claims?.replaces ?? [] };
    if (isOther && (taken || !standFor(known, self))) return 'contradiction';
    if (known?.stands && !this.#mayHaveStood(frame, known.stands)) return 'repeat';
    const { view, arrival } = hold(before, met);
    this.#set(epoch, view);
    if (taken) return 'repeat';
    const again = known !== undefined && known.stands !== null;
    if (again && frames.placesAgain(epoch) >= limits.placesAgainPerEpoch) {
      const at = { epoch, sequence: met.sequence };
      this.alarm({ ...this.#store.parties.address(party), what: 'too much was given again', at });
      this.#release(epoch);
      return 'repeat';
    }
    if (there) this.#yield(epoch, met.sequence, there.party);
    this.witness.takesPlace(frame);
    frames.insertPlace(epoch, met.sequence, party, n, { again, ...(isOther && { otherHash: frame.hash }) });
    if (known?.stands) {
      if (isOther) frames.addReplaces(epoch, party, n, self);
      else this.#stand(frame, known.stands, [met.sequence]);
      this.#release(epoch);
      return 'repeat';
    }
    if (known) {
      frames.setStands(epoch, party, n, met.sequence);
    } else {
      const prev = this.witness.comes(frame);
      if (n < frames.head(epoch, party)) this.#lower.push({ epoch, party, n });
      else this.#chain(epoch, party, n - 1, met.sequence);
      frames.insertFrame(epoch, party, n, {
        hash: frame.hash,
        ciphertextHash: frame.ciphertextHash,
        stands: met.sequence,
        ...(prev && { prev }),
        replaces: self.replaces,
      });
      if (coverage.fillChainHole(epoch, party, n)) {
        this.#show(frame, 'late');
        return 'placed';
      }
    }
    this.#show(frame, arrival);
    return 'placed';
  }

  /** Whether another frame stands at a place. One that was given again there, and stands elsewhere, yields. */
  isTaken({ epoch, party, n, met: { sequence } }: Pick<PlacedFrame, 'epoch' | 'party' | 'n' | 'met'>): boolean {
    const { frames } = this.#store;
    const there = frames.place(epoch, sequence);
    if (there === undefined || (there.party === party && there.n === n)) return false;
    const stands = frames.frame(epoch, there.party, there.n)?.stands;
    return !stands || compareSequences(stands, sequence) === 0;
  }

  /** The relay gave a frame again, at a number where it has put another since. */
  #yield(epoch: number, sequence: Sequence, party: number): void {
    const { frames, parties } = this.#store;
    frames.removePlace(epoch, sequence);
    this.alarm({ ...parties.address(party), what: 'two frames under one number', at: { epoch, sequence } });
  }

  /** Notes that a sequence exists without being readable, and shows it as a hole of this reason at once. */
  hole(epoch: number, met: Met, reason: HoleReason): void {
    const { era, number } = met.sequence;
    const known = know(this.view(epoch), met);
    const gap = { era, from: number, to: number };
    const view = showHole(known, gap);
    const row = view.eras.find((other) => other.era === era);
    if (row === undefined || missing(row.held, gap).length === 0) {
      this.#set(epoch, known);
      return;
    }
    this.#set(epoch, view);
    this.#named.push({ epoch, gap, reason });
    const isShown = known.eras.some((other) => other.era === era && contains(other.holes, number));
    if (!isShown) this.opened.push({ conversation: this.#conversation(epoch), count: 1, reason });
    this.#release(epoch);
  }

  /** Notes that a sequence exists. */
  know(epoch: number, met: Met): void {
    this.#set(epoch, know(this.view(epoch), met));
  }

  /** Shows gaps as holes: what waits behind them is shown. */
  give(epoch: number, giving: readonly Gap[], reason: HoleReason): void {
    const view = giving.reduce(showHole, this.view(epoch));
    this.#set(epoch, view);
    this.opened.push({ conversation: this.#conversation(epoch), count: count(giving), reason });
    for (const gap of giving) this.#named.push({ epoch, gap, reason });
    this.#release(epoch);
  }

  /** Notes what was found; the same of one device within a transaction counts once. */
  alarm(alarm: Alarm): void {
    const { account, device, what } = alarm;
    if (this.alarms.some((one) => one.account === account && one.device === device && one.what === what)) return;
    this.alarms.push(alarm);
    const conversation = noteAlarm(this.#store, alarm, this.#nowMs);
    if (conversation !== undefined) this.touched.add(conversation);
  }

  /** Compares what frames say of others, and writes the views back. */
  finish(): void {
    const { coverage } = this.#store;
    this.witness.finish();
    for (const lower of this.#lower) this.#chainAbove(lower);
    for (const epoch of this.#views.keys()) this.#settleChains(epoch);
    for (const [epoch, { before, view }] of this.#views) {
      if (before !== view) coverage.save(epoch, before, view, 'awaiting sender', this.#nowMs);
      this.#restand(epoch, before);
    }
    for (const { epoch, gap, reason } of this.#named) {
      const row = this.view(epoch).eras.find(({ era }) => era === gap.era);
      for (const { from, to } of missing(row?.held ?? [], gap)) {
        coverage.nameHole(epoch, { era: gap.era, from, to, reason }, this.#nowMs);
      }
    }
  }

  #show({ epoch, message }: PlacedFrame, arrival: Arrival): void {
    const { messages } = this.#store;
    if (arrival === 'late') this.filled.add(this.#conversation(epoch));
    if (message && !messages.isAnyWaiting(epoch) && isReleased(this.view(epoch), message.sequence)) {
      if (messages.insertShown(message)) this.#shown(message);
      return;
    }
    if (message && messages.insert(message)) this.touched.add(message.conversation);
    this.#release(epoch);
  }

  #shown({ conversation, own }: NewMessage): void {
    this.touched.add(conversation);
    this.released ||= !own;
  }

  /** Shows what waits and is not held back any more, in order. */
  #release(epoch: number): void {
    const { messages } = this.#store;
    for (const waiting of messages.waiting(epoch, heldBackFrom(this.view(epoch)))) {
      messages.release(waiting);
      this.#shown(waiting);
    }
  }

  /**
   * Whether a frame that stands in a later era can have been at this place before: only behind the one before it. Else a
   * relay could fill the hole that another left with what is here already.
   */
  #mayHaveStood({ epoch, party, n, met: { sequence } }: PlacedFrame, stands: Sequence): boolean {
    if (sequence.era >= stands.era || n === 1) return true;
    if (this.#store.frames.frame(epoch, party, n - 1) === undefined) return false;
    const { before } = this.#store.frames.neighbours(epoch, party, n, erasOf(this.view(epoch)));
    return before !== undefined && compareSequences(before, sequence) < 0;
  }

  /** A frame at several sequences: it and its message stand at the one that stands everywhere. */
  #stand(
    { epoch, party, n }: Pick<PlacedFrame, 'epoch' | 'party' | 'n'>,
    stood: Sequence,
    others: readonly Sequence[],
  ): void {
    const { messages, frames } = this.#store;
    const view = this.view(epoch);
    const stands = others.reduce((one, next) => standing(view, one, next), stood);
    if (compareSequences(stands, stood) === 0) return;
    frames.setStands(epoch, party, n, stands);
    const message = messages.byPlace(epoch, stood);
    if (message) messages.move(message, stands);
  }

  /** Where frames with several places stand follows from what eras count on from: once that is told, it may be another. */
  #restand(epoch: number, before: EpochView): void {
    const { frames } = this.#store;
    const view = this.view(epoch);
    const isTold = view.eras.some(({ era, predecessor }) => {
      return predecessor && !before.eras.find((row) => row.era === era)?.predecessor;
    });
    if (!isTold) return;
    for (const { party, n } of frames.repeated(epoch)) {
      const stands = frames.frame(epoch, party, n)?.stands;
      const places = frames.placesOf(epoch, party, n, erasOf(view)).filter(({ isOther }) => !isOther);
      if (stands) this.#stand({ epoch, party, n }, stands, places);
    }
    this.#release(epoch);
  }

  /** A device says that it sent frames up to n: those that are missing are a hole, as far as it is believed. */
  sentUpTo(epoch: number, party: number, claimed: number): void {
    const { frames, coverage } = this.#store;
    const view = this.view(epoch);
    const row = view.eras.at(-1);
    if (row === undefined) return;
    const n = believed(claimed, frames.head(epoch, party));
    if (coverage.chainHoles(epoch).some((hole) => hole.party === party && hole.toN >= n)) return;
    const last = Math.max(toldOf(view, row.era) ?? 0, highest(row.holes));
    this.#chain(epoch, party, n, { era: row.era, number: last + 1 });
  }

  /**
   * Frames of a device between its head and `toN` that no missing number can be: a hole whose numbers are unknown. Where a
   * missing number may also be an own submit of unknown outcome it is in flight, and settled when that is answered.
   */
  #chain(epoch: number, party: number, toN: number, before: Sequence): void {
    const head = this.#store.frames.head(epoch, party);
    if (head > 0 && toN > head) this.#noteChain(epoch, { party, fromN: head + 1, toN, before });
  }

  /**
   * A frame came behind later ones: those between are missing. Where the first that was ever seen of the device was a
   * later one, nothing has said so yet.
   */
  #chainAbove({ epoch, party, n }: { readonly epoch: number; readonly party: number; readonly n: number }): void {
    const { frames, coverage } = this.#store;
    const next = frames.nextPlaced(epoch, party, n);
    if (next === undefined || next.n === n + 1) return;
    const hole = { party, fromN: n + 1, toN: next.n - 1, before: next.sequence };
    const isNoted = (other: ChainHoleRow): boolean =>
      other.party === party && other.fromN <= hole.toN && other.toN >= hole.fromN;
    if (!coverage.chainHoles(epoch).some(isNoted)) this.#noteChain(epoch, hole);
  }

  #noteChain(epoch: number, hole: Omit<ChainHoleRow, 'reason'>): void {
    const found = this.#explained(epoch, hole);
    if (found === 'explained') return;
    this.#store.coverage.addChainHole(epoch, { ...hole, reason: found }, this.#nowMs);
    this.touched.add(this.#conversation(epoch));
    if (found === 'lost') this.#openChain(epoch, hole);
  }

  /** Settles chain holes in flight: an own submit that was answered has taken its number. */
  #settleChains(epoch: number): void {
    const { coverage } = this.#store;
    for (const hole of coverage.chainHoles(epoch)) {
      if (hole.reason !== 'in flight') continue;
      const found = this.#explained(epoch, hole);
      if (found === 'in flight') continue;
      this.touched.add(this.#conversation(epoch));
      if (found === 'explained') {
        coverage.dropChainHole(epoch, hole);
      } else {
        coverage.addChainHole(epoch, { ...hole, reason: found }, this.#nowMs);
        this.#openChain(epoch, hole);
      }
    }
  }

  #openChain(epoch: number, { fromN, toN }: { readonly fromN: number; readonly toN: number }): void {
    this.opened.push({ conversation: this.#conversation(epoch), count: toN - fromN + 1, reason: 'lost' });
  }

  /** Whether the missing numbers between the frames next to a chain hole are enough to be its frames. */
  #explained(
    epoch: number,
    { party, fromN, toN, before }: Omit<ChainHoleRow, 'reason'>,
  ): 'explained' | 'in flight' | 'lost' {
    const { frames, outbox } = this.#store;
    const headAt = frames.frame(epoch, party, fromN - 1)?.stands;
    const view = this.view(epoch);
    const between = view.eras.reduce((sum, row) => {
      if (row.era > before.era || (headAt && row.era < headAt.era)) return sum;
      const from = headAt?.era === row.era ? headAt.number : 0;
      const to = before.era === row.era ? before.number : Infinity;
      const open = [...gaps(view).filter((gap) => gap.era === row.era), ...row.holes];
      return sum + count(open.filter((range) => range.from > from && range.to < to));
    }, 0);
    const lost = toN - fromN + 1;
    if (between < lost) return 'lost';
    return between - outbox.framedIn(epoch).length < lost ? 'in flight' : 'explained';
  }

  #state(epoch: number): State {
    const known = this.#views.get(epoch);
    if (known) return known;
    const before = this.#store.coverage.view(epoch);
    const { conversation } = this.#store.conversations.epochById(epoch);
    const state = { before, view: before, conversation };
    this.#views.set(epoch, state);
    return state;
  }

  #set(epoch: number, view: EpochView): void {
    this.#state(epoch).view = view;
    this.touched.add(this.#conversation(epoch));
  }

  #conversation(epoch: number): number {
    return this.#state(epoch).conversation;
  }
}
