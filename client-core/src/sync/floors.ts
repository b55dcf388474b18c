import type { EraNumber, Sequence } from '@waxwing/protocol';
import type { FramedRow } from '../history/outbox.ts';
import type { SyncContext } from './context.ts';
import { Placing } from './placing.ts';
import { floorBefore } from './sequencer.ts';
import { tellPlaced } from './told.ts';

/** What an honest relay says by its refusal of one that was not, or of a clock of its own that was far ahead. */
const FAR_ERA = 'an era ahead of its time';

/**
 * What the relay must number above: the highest sequence that it ever told of. Where it refuses that as an era that has not
 * come, the conversation goes on below, and the history says so.
 */
export class Floors {
  readonly #context: SyncContext;
  /** By epoch, the first era that the relay does not take. */
  readonly #farEras = new Map<number, EraNumber>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  of(epoch: number): Sequence | undefined {
    const view = this.#context.store.coverage.view(epoch);
    const far = this.#farEras.get(epoch);
    return far !== undefined && view.floor && view.floor.era >= far ? floorBefore(view, far) : view.floor;
  }

  /** The relay does not take this floor: the next is below its era. */
  async refused({ epoch, conversation }: FramedRow, { era }: Sequence): Promise<void> {
    const { store, work, clock } = this.#context;
    const known = this.#farEras.get(epoch);
    if (known !== undefined && known <= era) return;
    this.#farEras.set(epoch, era);
    const placing = await work.run(() => () => {
      const placed = new Placing(store, clock.now());
      const peer = store.conversations.byId(conversation)?.peer;
      if (peer) placed.alarm({ account: peer, what: FAR_ERA });
      return placed;
    });
    tellPlaced(this.#context, placing);
  }
}
