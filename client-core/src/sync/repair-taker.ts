import {
  decodeEnvelope,
  decodeRepairAnswer,
  frameHash,
  sameBytes,
  type AccountId,
  type DeviceAddress,
  type RepairAnswer,
  type RepairedFrame,
  type Sequence,
} from '@waxwing/protocol';
import type { EpochRow } from '../history/conversations.ts';
import { readFrame, toMessage } from './arrival.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { Placing } from './placing.ts';
import { missing, type Range } from './ranges.ts';
import { isAhead, judge, misnamed } from './repair-check.ts';
import { repairWaitMs } from './repair-wait.ts';
import { erasOf } from './sequencer.ts';
import { unlessMalformed } from './unless-malformed.ts';
import { isNamed, standFor } from './witness.ts';

/** How often something was asked for of which a part has come: the rest follows, or is asked for again soon. */
const TRIES_OF_REST = 4;

/** What an answer did: whether frames of it were taken, and what in it no honest device says. */
export type Taken = { readonly frames: boolean; readonly alerts: readonly string[] };

/** `left`: nothing is wrong with it, and it is not needed or not sure. */
type Verdict = 'taken' | 'left' | { readonly refused: string };

/**
 * Takes repair answers into the history, within the transaction of the batch that brought them. A frame is taken from its
 * author's account or an own device; from another only if its hash is fixed already. It fills what is missing, and
 * moves nothing that stands but by its author's word.
 */
export class RepairTaker {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;

  constructor(context: SyncContext, contacts: Contacts) {
    this.#context = context;
    this.#contacts = contacts;
  }

  take(from: DeviceAddress, body: Uint8Array, placing: Placing): Taken {
    const { store, local, clock } = this.#context;
    const answer = unlessMalformed(() => decodeRepairAnswer(body));
    if (answer === undefined) return { frames: false, alerts: ['repair refused: unreadable'] };
    const epoch = store.conversations.epochByHandle(answer.handle);
    const isOwn = from.account === local.address.account;
    // A conversation that has not begun here, as one of which nothing could be read so far: it is asked for when it begins.
    const isToCome = isOwn || this.#contacts.epoch(from.account)?.handle === answer.handle;
    if (epoch === undefined && isToCome) return { frames: false, alerts: [] };
    const peer = epoch && store.conversations.byId(epoch.conversation)?.peer;
    if (epoch === undefined || (from.account !== peer && !isOwn)) {
      return { frames: false, alerts: ['repair refused: handle of another conversation'] };
    }
    const accounts = new Set([peer, local.address.account]);
    const alerts: string[] = [];
    const taken: Sequence[] = [];
    const takeEach = (items: readonly RepairedFrame[]): RepairedFrame[] =>
      items.filter((item) => {
        const verdict = accounts.has(item.sender.account)
          ? this.#takeFrame(epoch, from.account, answer, item, placing)
          : { refused: 'sender' };
        if (verdict === 'taken') taken.push(item.sequence);
        else if (verdict !== 'left') alerts.push(`repair refused: ${verdict.refused}`);
        return verdict === 'left';
      });
    // The last first: a frame is sure when the one after it names it, and moves to a later era only before that one; what is
    // left from the first on: to an earlier era it goes only behind the one before it.
    takeEach(takeEach([...answer.frames].reverse()).reverse());
    this.#close(epoch, answer, placing);
    this.#learnTail(epoch, answer, placing);
    if (taken.length > 0) {
      for (const account of accounts) if (account) this.#dropHeld(account, epoch, taken);
      store.repairs.progressed(epoch.id, clock.now() + repairWaitMs(TRIES_OF_REST, 0));
    }
    return { frames: taken.length > 0, alerts };
  }

  #takeFrame(
    epoch: EpochRow,
    from: AccountId,
    { handle }: RepairAnswer,
    item: RepairedFrame,
    placing: Placing,
  ): Verdict {
    const { store, clock, local } = this.#context;
    const frame = readFrame(item.frame);
    if (frame === undefined) return { refused: 'frame' };
    const what = misnamed(item, handle, frame);
    if (what !== undefined) return { refused: what };
    const addedIn = this.#contacts.device(frame.sender)?.addedIn;
    const party =
      addedIn === undefined ? store.parties.newest(frame.sender) : store.parties.ensure(frame.sender, addedIn);
    if (party === undefined) return 'left';
    const hash = frameHash(item.frame);
    const known = store.frames.frame(epoch.id, party, item.n);
    if (known && !sameBytes(known.hash, hash)) {
      // An own message without an outcome may have been accepted as any of its attempts: its own answer will tell.
      const isOpen = store.outbox.framedAt(epoch.id, item.n) && !known.stands;
      return isOpen || standFor(known, { hash, replaces: frame.place?.replaces ?? [] })
        ? 'left'
        : { refused: 'another frame under this n' };
    }
    const replaces = frame.place?.replaces ?? [];
    const before = store.frames.frame(epoch.id, party, item.n - 1);
    // Kept of the frame after this one for as long as this one is not here.
    const fixed = store.frames.frame(epoch.id, party, item.n + 1)?.prev;
    const isAuthor = from === frame.sender.account || from === local.address.account;
    if (!isAuthor && !known) {
      if (!fixed) return 'left';
      if (!sameBytes(fixed, hash)) return { refused: 'another frame than the one that is fixed' };
    }
    if (before && frame.place && !isNamed(frame.place.prev, before)) return { refused: 'prev' };
    if (fixed && !isNamed(fixed, { hash, replaces })) return { refused: 'prev' };

    const met = { sequence: item.sequence };
    const there = store.frames.place(epoch.id, item.sequence);
    if (there?.party === party && there.n === item.n) return 'left';
    if (placing.isTaken({ epoch: epoch.id, party, n: item.n, met })) return { refused: 'another frame at this number' };
    const chained = store.coverage
      .chainHoles(epoch.id)
      .find((hole) => hole.party === party && hole.fromN <= item.n && item.n <= hole.toN);
    const view = placing.view(epoch.id);
    const { below, above } = store.frames.aroundN(epoch.id, party, item.sequence.era, item.n);
    const claim = {
      sequence: item.sequence,
      isAuthors: isAuthor,
      ...(known?.stands && { stands: known.stands }),
      ...store.frames.neighbours(epoch.id, party, item.n, erasOf(view)),
      ...(below !== undefined && { below }),
      ...(above !== undefined && { above }),
      ...(chained && { chainedBefore: chained.before }),
    };
    const verdict = judge(view, claim, clock.now());
    if (verdict !== 'take') return verdict === 'leave' ? 'left' : { refused: 'place' };

    const isOwn = frame.sender.account === local.address.account;
    const message = toMessage(frame, item, epoch.conversation, epoch.id, party);
    const claims = isOwn ? undefined : frame.place;
    const placed = { epoch: epoch.id, party, n: item.n, hash, ciphertextHash: null, met, ...(claims && { claims }) };
    placing.place({ ...placed, ...(message && { message: { ...message, own: isOwn } }) });
    store.answerable.keep(epoch.id, party, item.n, item.frame, item.serverTimeMs, clock.now());
    if (!isOwn) store.receipts.follow(epoch.id, party);
    return 'taken';
  }

  /** What is gone does not come any more: its holes say so. */
  #close(epoch: EpochRow, { goneNumbers, goneFrames }: RepairAnswer, placing: Placing): void {
    const { store, clock } = this.#context;
    for (const { era, ...range } of goneNumbers) {
      const row = placing.view(epoch.id).eras.find((other) => other.era === era);
      for (const part of row?.holes.flatMap((hole) => common(hole, range)) ?? []) {
        store.coverage.nameHole(epoch.id, { era, ...part, reason: 'removed' }, clock.now());
        placing.touched.add(epoch.conversation);
      }
    }
    for (const { sender, ...range } of goneFrames) {
      const party = store.parties.newest(sender);
      if (party !== undefined && store.coverage.removeChainHole(epoch.id, party, range)) {
        placing.touched.add(epoch.conversation);
      }
    }
  }

  /** How far the epoch goes, where that was asked because the relay has forgotten. */
  #learnTail(epoch: EpochRow, { last }: RepairAnswer, placing: Placing): void {
    const { store, clock } = this.#context;
    if (!store.repairs.isTailWanted(epoch.id)) return;
    store.repairs.tailKnown(epoch.id);
    if (last && isAhead(placing.view(epoch.id), last, clock.now())) placing.know(epoch.id, { sequence: last });
  }

  /** Ciphertext that is held for a number which is filled now is of no more use. */
  #dropHeld(account: AccountId, { handle }: EpochRow, taken: readonly Sequence[]): void {
    const { held } = this.#context.store;
    for (let some = held.of(account); some.length > 0; some = held.of(account, some.at(-1)?.id)) {
      for (const { id, envelope } of some) {
        const of = decodeEnvelope(envelope);
        if (of.type !== 'sequenced' || of.handle !== handle) continue;
        const { era, number } = of.sequence;
        if (taken.some((sequence) => sequence.era === era && sequence.number === number)) held.remove(id);
      }
    }
  }
}

/** The part of a range that another has too. */
function common(a: Range, b: Range): readonly Range[] {
  return missing(missing([b], a), a);
}
