import { limits, type Mark } from '@waxwing/protocol';
import { StoreFullError } from '../errors.ts';
import type { HoleReason } from '../history/coverage.ts';
import type { SyncContext } from './context.ts';
import { Placing } from './placing.ts';
import { gapKind, gaps, type Gap } from './sequencer.ts';
import { missing } from './ranges.ts';
import { tellPlaced } from './told.ts';

/**
 * Holds later messages back behind a gap for at most two seconds, while connected and drained; then the gap is shown as
 * a hole. A gap that own submits without an outcome can explain waits for those instead.
 */
export class GapKeeper {
  readonly #context: SyncContext;
  readonly #timers = new Map<number, () => void>();
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
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
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
    if (!this.#live || this.#timers.has(epoch)) return;
    const { store, timers } = this.#context;
    const view = store.coverage.view(epoch);
    if (gapKind(view, store.outbox.framedIn(epoch).length) !== 'waiting') return;
    const noticed = gaps(view);
    const reason = this.#reason ?? 'awaiting sender';
    const cancel = timers.after(limits.sequenceHoldMs, () => {
      this.#timers.delete(epoch);
      void this.#give(epoch, noticed, reason);
    });
    this.#timers.set(epoch, cancel);
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
      if (!(error instanceof StoreFullError)) throw error;
      this.#context.events.emit({ type: 'storeFull' });
    }
    this.look(epoch);
  }
}

/** The part of a gap that was noticed before. */
function stillOpen(gap: Gap, noticed: readonly Gap[]): Gap[] {
  const seen = noticed.filter(({ era }) => era === gap.era);
  const unseen = missing(seen, gap);
  return missing(unseen, gap).map((range) => ({ ...range, era: gap.era }));
}
