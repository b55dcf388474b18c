import { compareSequences, firstPrev, sameBytes, type Seen, type Sequence } from '@waxwing/protocol';
import type { FrameRow } from '../history/frames.ts';
import type { SeenClaim } from '../history/claims.ts';
import type { Store } from '../history/store.ts';
import { count, missing } from './ranges.ts';
import { judgeSeen, unheardOf } from './seen.ts';
import type { EpochView, Gap } from './sequencer.ts';

/** What a frame says of others, compared with what is held. */
export type FrameClaims = { readonly prev: Uint8Array; readonly replaces: readonly Uint8Array[]; readonly seen?: Seen };

/** A frame at the sequence that the relay gave it. */
export type Witnessed = {
  readonly epoch: number;
  readonly party: number;
  readonly n: number;
  readonly hash: Uint8Array;
  readonly met: { readonly sequence: Sequence };
  /** Absent of an own frame. */
  readonly claims?: FrameClaims;
};

/** What is found; `party` is the device whose frame or claim shows it. */
export type WitnessEvents = {
  contradiction(found: { epoch: number; party: number; sequence: Sequence; what: Contradiction }): void;
  /** Numbers that only a contact told of are missing. */
  unheard(epoch: number, gaps: readonly Gap[]): void;
  /** An epoch as it is by now. */
  view(epoch: number): EpochView;
};

export const contradictions = {
  order: 'frames in another order than their numbers',
  prev: 'a frame that follows another one than ours',
  seen: 'a history that differs from ours',
  head: 'a newest frame that differs from ours',
} as const;
export type Contradiction = (typeof contradictions)[keyof typeof contradictions];

/**
 * Compares what frames say of each other within one transaction. Only what contradicts is found; what cannot be compared
 * yet is kept, and compared when the rest of it comes.
 */
export class Witness {
  readonly #store: Store;
  readonly #on: WitnessEvents;
  readonly #placed: { readonly epoch: number; readonly sequence: Sequence }[] = [];
  readonly #seen: { readonly epoch: number; readonly claim: SeenClaim; readonly at: Sequence }[] = [];

  constructor(store: Store, on: WitnessEvents) {
    this.#store = store;
    this.#on = on;
  }

  /** A frame gets a place; called before that is written. Within an era n and number ascend together. */
  takesPlace({ epoch, party, n, met: { sequence } }: Witnessed): void {
    this.#placed.push({ epoch, sequence });
    const { below, same, above } = this.#store.frames.aroundN(epoch, party, sequence.era, n);
    const { number } = sequence;
    const inOrder =
      (below === undefined || below < number) &&
      (above === undefined || above > number) &&
      (same === undefined || same === number);
    if (!inOrder) this.#on.contradiction({ epoch, party, sequence, what: contradictions.order });
  }

  /** A new frame is kept; called before that is written. Answers the `prev` to keep with it until frame n - 1 comes. */
  comes(frame: Witnessed): Uint8Array | undefined {
    const { epoch, party, n, hash, met, claims } = frame;
    const { frames, claims: kept } = this.#store;
    const wrong = (what: Contradiction) => {
      this.#on.contradiction({ epoch, party, sequence: met.sequence, what });
    };
    const self = { hash, replaces: claims?.replaces ?? [] };
    const after = frames.frame(epoch, party, n + 1);
    if (after?.prev) {
      if (!isNamed(after.prev, self)) wrong(contradictions.prev);
      frames.clearPrev(epoch, party, n + 1);
    }
    const head = kept.head(epoch, party);
    if (head?.n === n) {
      if (!isNamed(head.hash, self)) wrong(contradictions.head);
      kept.dropHead(epoch, party);
    }
    if (claims === undefined) return undefined;
    if (claims.seen) {
      // The relay puts a frame behind all that its sender knew of.
      const { era, to } = claims.seen;
      if (compareSequences({ era, number: to }, met.sequence) >= 0) wrong(contradictions.seen);
      this.claimsSeen(epoch, party, claims.seen, met.sequence);
    }
    const before = this.#before(epoch, party, n);
    if (before === undefined) return claims.prev;
    if (!isNamed(claims.prev, before)) wrong(contradictions.prev);
    return undefined;
  }

  /** A device says what it has seen; `at` is where a contradiction would stand. What only it tells of is missing at once. */
  claimsSeen(epoch: number, party: number, seen: Seen, at: Sequence): void {
    const last = this.#seen.at(-1);
    // Messages sent together tell the same.
    if (last?.epoch === epoch && last.claim.party === party && isSameClaim(last.claim, seen)) return;
    this.#seen.push({ epoch, claim: { ...seen, party }, at });
    const unheard = unheardOf(this.#on.view(epoch), seen);
    // What own submits without an outcome can explain is in flight, and comes with their answers.
    if (count(unheard) > this.#store.outbox.framedIn(epoch).length) this.#on.unheard(epoch, unheard);
  }

  /** A device says which frame is its newest. */
  claimsHead(epoch: number, party: number, n: number, hash: Uint8Array, at: Sequence): void {
    const held = this.#store.frames.frame(epoch, party, n);
    if (held === undefined) this.#store.claims.keepHead(epoch, party, { n, hash });
    else if (!isNamed(hash, held)) {
      this.#on.contradiction({ epoch, party, sequence: at, what: contradictions.head });
    }
  }

  /** Compares what was seen, once everything of the transaction has its place. */
  finish(): void {
    const { claims } = this.#store;
    for (const { epoch, sequence } of this.#placed) {
      for (const claim of claims.seenOver(epoch, sequence.era, sequence.number)) {
        if (this.#judge(epoch, claim, { era: claim.era, number: claim.to }) !== 'open') {
          claims.dropSeen(epoch, claim);
        }
      }
    }
    for (const { epoch, claim, at } of this.#seen) {
      if (this.#judge(epoch, claim, at) === 'open') claims.keepSeen(epoch, claim);
    }
  }

  #judge(epoch: number, claim: SeenClaim, at: Sequence): 'agrees' | 'contradicts' | 'open' {
    const row = this.#on.view(epoch).eras.find(({ era }) => era === claim.era);
    if (row === undefined || missing(row.held, claim).length > 0) return 'open';
    const judged = judgeSeen(claim, this.#store.frames.seenEntries(epoch, claim.era, claim.from, claim.to));
    if (judged === 'contradicts') {
      this.#on.contradiction({ epoch, party: claim.party, sequence: at, what: contradictions.seen });
    }
    return judged;
  }

  /** What a frame n may name as the one before it. */
  #before(epoch: number, party: number, n: number): Nameable | undefined {
    const { frames, parties, conversations } = this.#store;
    if (n > 1) return frames.frame(epoch, party, n - 1);
    return { hash: firstPrev(conversations.epochById(epoch).handle, parties.address(party)) };
  }
}

function isSameClaim(a: Seen, b: Seen): boolean {
  return a.era === b.era && a.from === b.from && a.to === b.to && sameBytes(a.hash, b.hash);
}

type Nameable = Pick<FrameRow, 'hash' | 'replaces'>;

/** Whether a hash names this frame, or one that it stands for. */
export function isNamed(named: Uint8Array, { hash, replaces = [] }: Nameable): boolean {
  return [hash, ...replaces].some((one) => sameBytes(one, named));
}

/** Whether two frames of one device under one n are attempts of each other: one stands for the other. */
export function standFor(a: Nameable, b: Nameable): boolean {
  return isNamed(a.hash, b) || isNamed(b.hash, a);
}
