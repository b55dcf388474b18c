import { frameKinds, limits, type Frame } from '@waxwing/protocol';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { DirectSender } from './direct-sender.ts';
import type { Framing } from './framing.ts';
import type { Placing } from './placing.ts';
import { RepairAnswerer } from './repair-answerer.ts';
import { RepairAsker } from './repair-asker.ts';
import { RepairTaker, type Taken } from './repair-taker.ts';
import { Rest } from './rest.ts';
import { tellFull } from './told.ts';

/** How long after a run that could not do its work the next one is. */
const RETRY_MS = 60_000;

/**
 * Fills holes end to end: asks for what is missing, answers what others miss, and gives unasked what they are owed.
 *
 *     idle --live, or something changed--> waiting --due--> running --> waiting, or idle if nothing is left
 */
export class Repair {
  readonly #context: SyncContext;
  readonly #asker: RepairAsker;
  readonly #answerer: RepairAnswerer;
  readonly #taker: RepairTaker;
  #live = false;
  #stopped = false;
  /** A question came since the last run. */
  #asked = false;
  /** After what could not be done. */
  readonly #rest: Rest;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(context: SyncContext, contacts: Contacts, framing: Framing, sender: DirectSender) {
    this.#context = context;
    this.#rest = new Rest(context.clock);
    this.#asker = new RepairAsker(context, contacts, sender);
    this.#answerer = new RepairAnswerer(context, contacts, framing, sender);
    this.#taker = new RepairTaker(context, contacts);
  }

  /** The mailbox is read to its end: what is missing now may be asked for. */
  async live(): Promise<void> {
    this.#live = true;
    this.#rest.end();
    this.look();
    await this.#prune();
  }

  disconnected(): void {
    this.#live = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.disconnected();
    await this.#running;
  }

  /** The relay began this device's mailbox anew: it may have forgotten what nobody can tell but the others. */
  mailboxRestarted(): void {
    this.#context.store.transaction(() => this.#asker.wantTails());
  }

  /** Takes a direct frame, within the transaction that it came in; undefined for one that is no repair. */
  take(frame: Frame, placing: Placing): Taken | undefined {
    switch (frame.kind) {
      case frameKinds.repairRequest:
        this.#answerer.ask(frame.sender, frame.body);
        this.#asked = true;
        return { frames: false, alerts: [] };
      case frameKinds.repairAnswer:
        return this.#taker.take(frame.sender, frame.body, placing);
      default:
        return undefined;
    }
  }

  /** Something changed: there may be something to ask, answer or give. */
  look(): void {
    if (!this.#live || this.#running) return;
    this.#cancel?.();
    this.#cancel = undefined;
    const { clock, timers } = this.#context;
    const nextMs = this.#nextMs();
    if (nextMs === undefined) return;
    this.#cancel = timers.after(Math.max(0, nextMs - clock.now()), () => {
      this.#cancel = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.look();
      });
    });
  }

  /** When the next run is. A question is answered at once; what could not be done waits. */
  #nextMs(): number | undefined {
    const nowMs = this.#context.clock.now();
    if (this.#asked) return nowMs;
    const nextMs = this.#context.store.repairs.owed(1).length > 0 ? nowMs : this.#asker.nextMs();
    return nextMs === undefined ? undefined : Math.max(nextMs, nowMs + this.#rest.leftMs());
  }

  async #run(): Promise<void> {
    const { clock } = this.#context;
    try {
      this.#asked = false;
      await this.#answerer.answer();
      if (this.#rest.leftMs() > 0) return;
      await this.#asker.run();
      await this.#answerer.give();
      // What is still due could not be done now.
      const nextMs = this.#nextMs();
      if (nextMs !== undefined && nextMs <= clock.now()) this.#rest.begin(RETRY_MS);
    } catch (error) {
      tellFull(this.#context, error);
      this.#rest.begin(RETRY_MS);
    }
  }

  /** Lets go of bytes that nobody may ask for any more, a slice at a time. */
  async #prune(): Promise<void> {
    const { work, store, clock } = this.#context;
    const slice = () =>
      work.run(() => () => store.answerable.prune(clock.now() - limits.answerableMs, limits.answerablePruneEntries));
    while ((await slice()) === limits.answerablePruneEntries) if (this.#stopped) return;
  }
}
