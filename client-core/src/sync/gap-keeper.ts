import { limits, type Mark } from '@waxwing/protocol';
import type { HoleReason } from '../history/coverage.ts';
import type { SyncContext } from './context.ts';
import { Placing } from './placing.ts';
import { gapKind, gaps, type Gap } from './sequencer.ts';
import { missing } from './ranges.ts';
import { tellFull, tellPlaced } from './told.ts';

/** Gaps that were first seen at one time, and how to stop waiting for them. */
type Noticed = { readonly gaps: readonly Gap[]; readonly cancel: () => void };

/**
 * Holds later messages back behind a gap for at most two seconds, while connected and drained; then the gap is shown as
 * a hole. A gap that own submits without an outcome can explain waits for those instead.
 */
export class GapKeeper {
  readonly #context: SyncContext;
  /** By epoch: gaps that are waited for, those noticed together as one. */
  readonly #waiting = new Map<number, Set<Noticed>>();
  #live = false;
  /** What the relay said at this connection of mail that is gone, until the gaps that it left were looked for. */
  #reason: HoleReason | undefined;

  constructor(context: SyncContext) {
    this.#context = context;
  }

  marked(marks: readonly Mark[]): void {
    const last = marks.at(-1);
    if (last) this.#reason = last.reason === 'expired' ? 'expired' : 'over quota';
  }

  mailboxRestarted(): void {
    this.#reason = 'lost';
  }

  /** The mailbox is drained: from now on what is missing is missing. */
  live(): void {
    this.#live = true;
    for (const { id } of this.#context.store.conversations.all()) {
      for (const epoch of this.#context.store.conversations.epochs(id)) this.look(epoch.id);
    }
  }

  disconnected(): void {
    this.#live = false;
    for (const noticed of this.#waiting.values()) for (const { cancel } of noticed) cancel();
    this.#waiting.clear();
  }

  /** After a commit that touched a conversation. */
  lookAt(conversations: Iterable<number>): void {
    for (const conversation of conversations) {
      for (const epoch of this.#context.store.conversations.epochs(conversation)) this.look(epoch.id);
    }
  }

  /** The gaps that lost mail left have been looked for: those noticed from now on have another reason. */
  settled(): void {
    this.#reason = undefined;
  }

  look(epoch: number): void {
    if (!this.#live) return;
    const { store, timers } = this.#context;
    const view = store.coverage.view(epoch);
    const open = gaps(view);
    if (open.length === 0 || gapKind(view, store.outbox.framedIn(epoch).length) !== 'waiting') return;
    const waiting = this.#waiting.get(epoch) ?? new Set();
    const before = [...waiting].flatMap((noticed) => noticed.gaps);
    const fresh = open.flatMap((gap) => without(gap, before));
    if (fresh.length === 0) return;
    const reason = this.#reason ?? 'awaiting sender';
    const cancel = timers.after(limits.sequenceHoldMs, () => {
      waiting.delete(noticed);
      void this.#give(epoch, fresh, reason);
    });
    const noticed: Noticed = { gaps: fresh, cancel };
    this.#waiting.set(epoch, waiting.add(noticed));
  }

  /** Shows what is still missing of the gaps that were noticed as holes. */
  async #give(epoch: number, noticed: readonly Gap[], reason: HoleReason): Promise<void> {
    const { work, store, clock } = this.#context;
    try {
      const placing = await work.run(() => () => {
        const placed = new Placing(store, clock.now());
        const open = gaps(placed.view(epoch)).flatMap((gap) => stillOpen(gap, noticed));
        if (open.length > 0) placed.give(epoch, open, reason);
        placed.finish();
        return placed;
      });
      tellPlaced(this.#context, placing);
    } catch (error) {
      tellFull(this.#context, error);
    }
    this.look(epoch);
  }
}

/** The part of a gap that was noticed before. */
function stillOpen(gap: Gap, noticed: readonly Gap[]): Gap[] {
  return missing(without(gap, noticed), gap).map((range) => ({ ...range, era: gap.era }));
}

/** The part of a gap that was not noticed before. */
function without(gap: Gap, noticed: readonly Gap[]): Gap[] {
  const seen = noticed.filter(({ era }) => era === gap.era);
  return missing(seen, gap).map((range) => ({ ...range, era: gap.era }));
}
