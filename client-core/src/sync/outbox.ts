import {
  errorRow,
  frameKinds,
  isErrorCode,
  type Accepted,
  type MessageId,
  type Rejected,
  type Sequence,
} from '@waxwing/protocol';
import { isFramed, type FramedRow } from '../history/outbox.ts';
import type { RelayLink, SubmitAnswer } from '../transport/relay-link.ts';
import type { Bundles } from './bundles.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import { Floors } from './floors.ts';
import { noteNoKeys, noteRefusal } from './refusal.ts';
import type { Framing } from './framing.ts';
import { Attempts } from './attempts.ts';
import { Placing } from './placing.ts';
import { QueuedFraming, type Waiting } from './queued-framing.ts';
import { settle } from './settle.ts';
import { tellFull, tellPlaced } from './told.ts';
import { Underway } from './underway.ts';
import { oldestUnanswered } from './window.ts';

const RETRY_MS = 1_000;

/**
 * The way out (I-9): rows are framed when connected and within the window, submitted, and resubmitted with the same
 * bytes until their outcome is known.
 */
export class Outbox {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;
  readonly #queued: QueuedFraming;
  readonly #attempts: Attempts;
  #link: RelayLink | undefined;
  readonly #underway: Underway;
  /** Refusals that are being seen to, and keys. */
  readonly #settling = new Set<Promise<void>>();
  /** Conversations whose keys are being seen to, and whether there is more to see to afterwards. */
  #preparing: ReadonlySet<number> = new Set();
  #prepareMore = false;
  /** Keys that came when the window had become full, by conversation. */
  readonly #unused = new Map<number, Bundles>();
  readonly #floors: Floors;
  #accepted: { row: FramedRow; accepted: Accepted }[] = [];
  #pumping: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(context: SyncContext, contacts: Contacts, framing: Framing, newId: () => MessageId) {
    this.#context = context;
    this.#contacts = contacts;
    this.#framing = framing;
    this.#queued = new QueuedFraming(context, contacts, framing);
    this.#attempts = new Attempts(context, contacts, framing, newId);
    this.#floors = new Floors(context);
    this.#underway = new Underway(context, () => this.pump());
  }

  /** A connection is ready: everything without an outcome is submitted again, lowest n first. */
  connected(link: RelayLink): void {
    this.#link = link;
    this.#underway.clear();
    this.pump();
  }

  disconnected(): void {
    this.#link = undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#link = undefined;
    this.#underway.stop();
    await this.#pumping;
    await Promise.all(this.#settling);
  }

  /** What kept messages for somebody from going is over. */
  released(): void {
    this.#underway.endWaits();
    this.pump();
  }

  /** Something may be done: looks at the outbox until nothing is. */
  pump(): void {
    this.#again = true;
    if (this.#stopped || this.#link === undefined) return;
    this.#pumping ??= this.#run().finally(() => {
      this.#pumping = undefined;
      // Asked again between the end of the run and this.
      if (this.#again) this.pump();
    });
  }

  /** When a row is tried again, where it waits for a time. */
  nextTryMs(id: number): number | undefined {
    return this.#underway.nextTryMs(id);
  }

  /**
   * Takes a message back. Answers true once it is sure that nobody gets it, false if it was sent. A message that may
   * have left is stood for by a void frame, and the relay decides which of the two it has.
   */
  async cancel(messageId: MessageId): Promise<boolean> {
    const { store, work } = this.#context;
    const changed = await work.run(async (overlay) => {
      const row = store.outbox.byId(messageId);
      if (row?.state === 'framed' && !row.cancelling && isFramed(row)) {
        const attempt = await this.#attempts.standIn(overlay, row, true);
        return () => {
          if (attempt) store.outbox.addAttempt(row.id, attempt);
          if (attempt) store.outbox.setCancelling(row.id);
          return row;
        };
      }
      return () => {
        if (row && row.state !== 'framed') store.outbox.remove(row.id);
        return row;
      };
    });
    if (changed === undefined) return false;
    this.#context.bus.tell({ conversations: new Set([changed.conversation]), inbox: false });
    if (changed.state !== 'framed') return true;
    this.pump();
    return new Promise((resolve) => {
      const look = () => {
        if (store.outbox.byId(messageId)) return;
        unsubscribe();
        resolve(store.messages.byId(messageId) === undefined);
      };
      const unsubscribe = this.#context.bus.subscribe(look);
      look();
    });
  }

  /** Puts a failed message back into the queue. */
  retry(messageId: MessageId): void {
    const { store, bus } = this.#context;
    const row = store.transaction(() => {
      const found = store.outbox.byId(messageId);
      if (found) store.outbox.requeue(found.id);
      return found;
    });
    if (row) bus.tell({ conversations: new Set([row.conversation]), inbox: false });
    this.pump();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped && this.#link) {
      // Answers that came together, and messages sent together, share a commit.
      await new Promise((resolve) => setImmediate(resolve));
      this.#again = false;
      try {
        await this.#commitAccepted();
        this.#submitFramed();
        await this.#frameWaiting();
      } catch (error) {
        tellFull(this.#context, error);
        this.#underway.wakeAfter(RETRY_MS);
      }
    }
  }

  /** Submits what is framed and not under way, in the order of n. */
  #submitFramed(): void {
    const oldest = new Map<number, number>();
    for (const row of this.#context.store.outbox.framed()) {
      if (!oldest.has(row.epoch)) oldest.set(row.epoch, row.n);
      this.#submit(row, oldest.get(row.epoch) ?? row.n);
    }
  }

  /** `oldest`: the lowest n of its epoch without an outcome. */
  #submit(row: FramedRow, oldest: number): void {
    const { store } = this.#context;
    const link = this.#link;
    if (link === undefined || this.#underway.has(row.id)) return;
    const attempt = store.outbox.attempt(row.id, row.attempt);
    if (attempt === undefined) throw new TypeError('a framed message has no attempt');
    const { handle } = store.conversations.epochById(row.epoch);
    const floor = this.#floors.of(row.epoch);
    this.#underway.begin(row.id, row.attempt);
    void link
      .submit({ handle, n: row.n, attempt: row.attempt, oldest, body: attempt.body, ...(floor && { floor }) })
      .then((answer) => this.#answered(link, row, answer, floor));
  }

  #answered(link: RelayLink, row: FramedRow, answer: SubmitAnswer, floor: Sequence | undefined): void {
    if (link !== this.#link || !this.#underway.isAt(row.id, row.attempt)) return;
    if (answer.type === 'lost') {
      this.#underway.end(row.id);
      return;
    }
    if (answer.type === 'accepted') {
      // The row stays under way until the outcome is committed, so that it is not submitted again in between.
      this.#accepted.push({ row, accepted: answer });
      this.pump();
      return;
    }
    const settling = this.#rejected(row, answer, floor)
      .catch((error: unknown) => this.#storeFailed(row, error))
      .finally(() => {
        this.#settling.delete(settling);
        this.pump();
      });
    this.#settling.add(settling);
  }

  async #rejected(row: FramedRow, { code, retryAfterMs }: Rejected, floor: Sequence | undefined): Promise<void> {
    noteRefusal(this.#context, row, code);
    if (code === 'mismatch') {
      if (await this.#renew(row)) this.#underway.end(row.id);
      else this.#underway.wait(row, this.#isHeld(row) ? undefined : RETRY_MS);
      return;
    }
    this.#underway.end(row.id);
    if (code === 'floor_ahead' && floor) {
      await this.#floors.refused(row, floor);
      return;
    }
    if (code === 'out_of_order') {
      // Whatever is lower goes first; if this was the lowest, the relay is asked again after a while.
      const lowest = oldestUnanswered(this.#context.store.outbox.framedIn(row.epoch), row.n) === row.n;
      this.#underway.wait(row, lowest ? RETRY_MS : undefined);
      return;
    }
    if (errorRow(code).retry === 'retry') {
      this.#underway.wait(row, Math.max(retryAfterMs, RETRY_MS));
      return;
    }
    await this.#fail(row, code);
  }

  /** The disk refused a step that an answer asked for: the submit goes again later, and is answered again. */
  #storeFailed(row: FramedRow, error: unknown): void {
    tellFull(this.#context, error);
    this.#underway.wait(row, RETRY_MS);
  }

  async #commitAccepted(): Promise<void> {
    const batch = this.#accepted;
    if (batch.length === 0) return;
    this.#accepted = [];
    const { work, store, clock } = this.#context;
    try {
      const stage = () => () => {
        const placed = new Placing(store, clock.now());
        const party = this.#framing.ownParty();
        const open = batch.filter(({ row, accepted }) => !settle(this.#context, party, placed, row.id, accepted));
        placed.finish();
        return { placing: placed, unsettled: open };
      };
      // Undone by a power cut, the rows are submitted again and answered the same.
      const { placing, unsettled } = await work.run(stage, { synced: false });
      for (const { row } of batch) this.#underway.end(row.id);
      this.#underway.endWaits();
      for (const { row } of unsettled) if (!this.#underway.askAgain(row)) await this.#fail(row, 'conflict');
      this.#again = true;
      for (const { row } of batch) placing.touched.add(row.conversation);
      tellPlaced(this.#context, placing);
    } catch (error) {
      this.#accepted = [...batch, ...this.#accepted];
      throw error;
    }
  }

  /** Frames what is queued. What needs keys from the network waits for them alone. */
  async #frameWaiting(): Promise<void> {
    const waiting = this.#queued.waiting();
    const lacking = waiting.filter(({ peer }) => this.#framing.lacksKeys(peer));
    this.#prepare(lacking);
    await this.#frame(waiting.filter((one) => !lacking.includes(one)));
  }

  /** Sees to the keys for conversations, one after the other and beside all else. */
  #prepare(lacking: readonly Waiting[]): void {
    if (this.#preparing.size > 0) {
      this.#prepareMore ||= lacking.some(({ conversation }) => !this.#preparing.has(conversation));
      return;
    }
    if (lacking.length === 0) return;
    this.#preparing = new Set(lacking.map(({ conversation }) => conversation));
    const prepared = this.#prepareEach(lacking)
      .catch((error: unknown) => {
        tellFull(this.#context, error);
        this.#underway.wakeAfter(RETRY_MS);
      })
      .finally(() => {
        this.#preparing = new Set();
        this.#settling.delete(prepared);
        if (this.#prepareMore) this.pump();
        this.#prepareMore = false;
      });
    this.#settling.add(prepared);
  }

  async #prepareEach(lacking: readonly Waiting[]): Promise<void> {
    for (const one of lacking) {
      if (this.#stopped) return;
      // Keys that nothing is framed with are one-time keys of the peer's that are gone.
      if (!this.#queued.hasRoom(one)) {
        this.#prepareMore = true;
        continue;
      }
      const bundles = this.#unused.get(one.conversation) ?? (await this.#framing.prepare(one.peer));
      this.#unused.delete(one.conversation);
      if (typeof bundles === 'string') this.#cannotPrepare(one, bundles);
      else if ((await this.#frame([one], bundles)) === 'no room') this.#unused.set(one.conversation, bundles);
    }
  }

  async #frame(waiting: readonly Waiting[], bundles?: Bundles): Promise<'framed' | 'no keys' | 'no room'> {
    const { framed, lacking } = await this.#queued.frame(waiting, bundles);
    for (const conversation of lacking) {
      noteNoKeys(this.#context, conversation);
      this.#underway.wakeAfter(RETRY_MS);
    }
    if (framed.length === 0) return lacking.length > 0 ? 'no keys' : 'no room';
    this.pump();
    this.#submitFramed();
    this.#context.bus.tell({ conversations: new Set(framed), inbox: false });
    return 'framed';
  }

  #cannotPrepare({ conversation, peer }: Waiting, why: 'missing' | 'later'): void {
    if (why === 'later') {
      noteNoKeys(this.#context, conversation);
      const restMs = Math.max(...this.#framing.accountsOf(peer).map((account) => this.#contacts.restMs(account)));
      this.#underway.wakeAfter(Math.max(RETRY_MS, restMs));
      return;
    }
    const { store, bus } = this.#context;
    store.transaction(() => store.outbox.failQueued(conversation, 'unknown_recipient'));
    // What is queued for it from now on has not been looked at.
    this.#prepareMore = true;
    bus.tell({ conversations: new Set([conversation]), inbox: false });
  }

  /** After a mismatch: the next attempt of every framed row of the conversation, against the newest lists. */
  async #renew(row: FramedRow): Promise<boolean> {
    const { store, work } = this.#context;
    const current = store.outbox.framedAt(row.epoch, row.n);
    if (current?.attempt !== row.attempt) return true;
    const peer = store.conversations.byId(row.conversation)?.peer;
    if (peer === undefined || this.#isHeld(row)) return false;
    // Also of devices with a session: one that registered anew needs another.
    const bundles = await this.#contacts.fetchAllBundles(this.#framing.accountsOf(peer));
    if (typeof bundles === 'string') return false;
    return work.run(async (overlay) => {
      const made = await this.#attempts.next(overlay, store.outbox.framedIn(row.epoch), bundles);
      return () => {
        for (const { id, attempt } of made ?? []) store.outbox.addAttempt(id, attempt);
        return made !== undefined;
      };
    });
  }

  #isHeld({ conversation }: FramedRow): boolean {
    const peer = this.#context.store.conversations.byId(conversation)?.peer;
    return peer !== undefined && this.#contacts.sendHold(peer) !== undefined;
  }

  /** Refused for good: a void frame takes the message's n, so that what follows can go on. */
  async #fail(row: FramedRow, code: string): Promise<void> {
    const { store, work, bus } = this.#context;
    await work.run(async (overlay) => {
      const current = store.outbox.framedAt(row.epoch, row.n);
      // A newer attempt is there, as the void frame of one that was taken back: it goes next.
      if (current?.attempt !== row.attempt) return () => undefined;
      const last = store.outbox.attempt(current.id, current.attempt);
      const known = isErrorCode(code) && (code === 'stale_n' || code === 'conflict');
      const attempt =
        last?.kind !== frameKinds.void && !known
          ? await this.#attempts.standIn(overlay, current, code !== 'unknown_recipient')
          : undefined;
      return () => {
        if (attempt === undefined) {
          if (current.cancelling) store.outbox.remove(current.id);
          else store.outbox.fail(current.id, code);
          return;
        }
        store.outbox.addAttempt(current.id, attempt);
        store.outbox.setFailure(current.id, code);
      };
    });
    // The lowest n may have gone: those above it need wait for it no more.
    this.#underway.endWaits();
    bus.tell({ conversations: new Set([row.conversation]), inbox: false });
  }
}
