import {
  frameHash,
  limits,
  sameBytes,
  type AccountId,
  type Deliver,
  type DeviceAddress,
  type Envelope,
  type Frame,
  type Position,
  type SequencedEnvelope,
} from '@waxwing/protocol';
import type { EpochRow } from '../history/conversations.ts';
import type { HeldReason } from '../history/held.ts';
import type { Overlay } from '../session/overlay.ts';
import type { Alarm } from './alarm.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import { holdReason, mismatch, readEnvelope, readFrame, toMessage, whatIs } from './arrival.ts';
import type { DirectEpoch } from './direct-epoch.ts';
import { tellFull, tellPlaced } from './told.ts';
import { Placing, type PlacedFrame } from './placing.ts';

/** An envelope on its way in; `position` is absent for one that was held, `heldId` for one that was not. */
type Arriving = {
  readonly envelope: Envelope | undefined;
  readonly bytes: Uint8Array;
  readonly ciphertextHash: Uint8Array;
  readonly position?: Position;
  readonly heldId?: number;
};

/** What an envelope turned out to be, before anything of it is written. */
type Outcome =
  | { readonly type: 'skip' }
  | { readonly type: 'repeat'; readonly envelope: SequencedEnvelope; readonly addedIn: number }
  | {
      readonly type: 'read';
      readonly envelope: Envelope;
      readonly frame: Frame;
      readonly bytes: Uint8Array;
      readonly addedIn: number;
      /** The current epoch with the sender, by the list that the frame was checked with. */
      readonly current: DirectEpoch | undefined;
    }
  | { readonly type: 'refuse'; readonly envelope: Envelope; readonly what: string }
  | { readonly type: 'hold'; readonly envelope: Envelope; readonly reason: HeldReason };

export type InboundEvents = {
  /** A batch is durable up to this position. */
  committed(position: Position): void;
  /** Frames of this sender with something to see were taken in. */
  received(): void;
  /** A frame was read, whatever becomes of it. Called within the transaction. */
  frameRead(frame: Frame, placing: Placing): void;
  /** A direct frame of a kind other than content. Called within the transaction, with what it may place frames by. */
  directFrame(frame: Frame, placing: Placing): void;
  /** What its list has not is under this device's name: the device, or another identity key. It is held; there may be a newer list. */
  unlisted(sender: DeviceAddress): void;
  /** The mailbox was read to its end, and all of it is durable. */
  drained(): void;
};

/**
 * The way in: envelopes are decrypted in an overlay, placed by the sequencer, made durable in one commit a batch, then
 * acked. What cannot be read is held or shown as a hole; nothing is dropped, and nothing stops what comes after it.
 */
export class Inbound {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #events: InboundEvents;
  readonly #queue: (Deliver | 'drained')[] = [];
  #running: Promise<void> | undefined;
  #live = false;
  #stopped = false;

  constructor(context: SyncContext, contacts: Contacts, events: InboundEvents) {
    this.#context = context;
    this.#contacts = contacts;
    this.#events = events;
  }

  /** A connection begins: what an earlier one left in the queue comes again. */
  connected(): void {
    this.#queue.length = 0;
    this.#live = false;
  }

  /** What is not read yet comes again at the next connection; its end of the mailbox is another. */
  disconnected(): void {
    this.#queue.length = 0;
  }

  deliver(deliveries: readonly Deliver[]): void {
    this.#queue.push(...deliveries);
    this.#start();
  }

  drained(): void {
    this.#queue.push('drained');
    this.#start();
  }

  /** Tries what is held of an account again: its list or its session changed. */
  async retryHeld(account: AccountId): Promise<void> {
    const { held } = this.#context.store;
    for (let batch = held.of(account); batch.length > 0 && !this.#stopped; batch = held.of(account, batch.at(-1)?.id)) {
      await this.#take(
        batch.map((row) => ({ ...readEnvelope(row.envelope), heldId: row.id })),
        undefined,
      );
    }
  }

  /** Takes nothing more; resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.length = 0;
    await this.#running;
  }

  #start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (next === 'drained') {
        this.#queue.shift();
        this.#live = true;
        this.#events.drained();
        continue;
      }
      const batch = this.#nextBatch();
      const arriving = batch.map((deliver) => ({ ...readEnvelope(deliver.envelope), position: deliver.position }));
      await this.#fetchLists(arriving);
      const taken = await this.#take(arriving, this.#live ? limits.liveBatchMs : limits.drainBatchMs);
      if (taken === 'store full') {
        await this.#pause();
        this.#queue.unshift(...batch);
      } else {
        this.#queue.unshift(...batch.slice(taken));
      }
      if (this.#stopped) return;
    }
  }

  #nextBatch(): Deliver[] {
    const max = this.#live ? limits.liveBatchEntries : limits.drainBatchEntries;
    const batch: Deliver[] = [];
    let bytes = 0;
    for (let next = this.#queue[0]; next !== undefined && next !== 'drained'; next = this.#queue[0]) {
      if (batch.length >= max || (batch.length > 0 && bytes + next.envelope.length > limits.batchBytes)) break;
      bytes += next.envelope.length;
      batch.push(next);
      this.#queue.shift();
    }
    return batch;
  }

  /** Asks for the lists that senders' devices are checked against, before the unit of work, which waits for no network. */
  async #fetchLists(arriving: readonly Arriving[]): Promise<void> {
    for (const { envelope } of arriving) {
      if (!envelope || this.#contacts.device(envelope.sender)) continue;
      // A keyserver that does not answer is waited for once a batch; what it would tell of is held meanwhile.
      if ((await this.#contacts.fetchFor(envelope.sender)) === 'unreachable') return;
    }
  }

  /** Takes a batch in, at least its first and as many as the time allows; answers how many. */
  async #take(arriving: readonly Arriving[], maxMs: number | undefined): Promise<number | 'store full'> {
    const { work, clock } = this.#context;
    let taken = 0;
    try {
      const done = await work.run(async (overlay) => {
        const begun = clock.now();
        const outcomes: [Arriving, Outcome][] = [];
        const read = new Set<string>();
        for (const item of arriving) {
          const outcome = await this.#read(item, overlay, read);
          if (outcome.type === 'read') read.add(whatIs(outcome.envelope, item.ciphertextHash));
          outcomes.push([item, outcome]);
          if (maxMs !== undefined && clock.now() - begun >= maxMs) break;
        }
        taken = outcomes.length;
        return () => this.#commit(outcomes);
      });
      if (done.committed) this.#events.committed(done.committed);
      tellPlaced(this.#context, done.placing);
      if (done.received) this.#events.received();
      for (const account of done.newSessions) void this.retryHeld(account);
      for (const sender of done.unlisted) this.#events.unlisted(sender);
      return taken;
    } catch (error) {
      tellFull(this.#context, error);
      return 'store full';
    }
  }

  /** `earlier`: what was read before it in the batch, by `whatIs`. */
  async #read(item: Arriving, overlay: Overlay, earlier: ReadonlySet<string>): Promise<Outcome> {
    const { store, crypto, local } = this.#context;
    const { envelope, ciphertextHash, position, heldId } = item;
    if (envelope === undefined) return { type: 'skip' };
    const { sender } = envelope;
    const committed = store.device.committed();
    if (position && committed?.incarnation === position.incarnation && position.number <= committed.number) {
      return { type: 'skip' };
    }
    if (heldId === undefined && store.held.has(sender, ciphertextHash)) return { type: 'skip' };
    const peer = this.#contacts.sender(sender);
    const device = this.#contacts.device(sender);
    if (!peer || !device) return { type: 'hold', envelope, reason: 'unlisted device' };
    if (envelope.type === 'sequenced' && this.#isRead(envelope, device.addedIn, ciphertextHash, earlier)) {
      return { type: 'repeat', envelope, addedIn: device.addedIn };
    }
    const result = await crypto.decrypt(local, overlay, peer, envelope.ciphertextKind, envelope.ciphertext);
    if (result.type === 'failed') {
      const reason = holdReason(envelope, result.reason, this.#isKnown(envelope));
      return reason ? { type: 'hold', envelope, reason } : { type: 'skip' };
    }
    const frame = readFrame(result.plaintext);
    // The ratchet step is kept also where the frame is refused: these bytes are never read again.
    overlay.stage(result.changes);
    if (!frame) return { type: 'refuse', envelope, what: 'frame' };
    const current = this.#contacts.epoch(sender.account);
    const what = mismatch(envelope, frame, current?.handle, this.#isKnown(envelope));
    if (what !== undefined) return { type: 'refuse', envelope, what };
    return { type: 'read', envelope, frame, bytes: result.plaintext, addedIn: device.addedIn, current };
  }

  /** Whether this very ciphertext was read before, as this n of this device. */
  #isRead(
    envelope: SequencedEnvelope,
    addedIn: number,
    ciphertextHash: Uint8Array,
    earlier: ReadonlySet<string>,
  ): boolean {
    const { store } = this.#context;
    if (earlier.has(whatIs(envelope, ciphertextHash))) return true;
    const epoch = store.conversations.epochByHandle(envelope.handle);
    const party = store.parties.find(envelope.sender, addedIn);
    if (epoch === undefined || party === undefined) return false;
    const known = store.frames.frame(epoch.id, party, envelope.n)?.ciphertextHash;
    return known !== undefined && known !== null && sameBytes(known, ciphertextHash);
  }

  /** Whether the envelope's handle is an epoch of the conversation with its sender. */
  #isKnown(envelope: Envelope): boolean {
    if (envelope.type === 'direct') return true;
    const { conversations } = this.#context.store;
    const epoch = conversations.epochByHandle(envelope.handle);
    return epoch !== undefined && conversations.byId(epoch.conversation)?.peer === envelope.sender.account;
  }

  #commit(outcomes: readonly [Arriving, Outcome][]) {
    const { store, clock } = this.#context;
    const nowMs = clock.now();
    const placing = new Placing(store, nowMs);
    let received = false;
    let committed: Position | undefined;
    let isHeld = false;
    const newSessions = new Set<AccountId>();
    const unlisted: DeviceAddress[] = [];
    for (const [item, outcome] of outcomes) {
      const alert = (what: string) => {
        const at = item.envelope && this.#at(item.envelope);
        if (item.envelope) placing.alarm({ ...item.envelope.sender, what, ...(at && { at }) });
      };
      switch (outcome.type) {
        case 'skip':
          break;
        case 'repeat':
          this.#repeat(placing, outcome.envelope, outcome.addedIn, item.ciphertextHash);
          break;
        case 'read':
          this.#events.frameRead(outcome.frame, placing);
          if (outcome.envelope.ciphertextKind === 'prekey' && item.position)
            newSessions.add(outcome.envelope.sender.account);
          if (outcome.envelope.type === 'direct') {
            this.#events.directFrame(outcome.frame, placing);
          } else if (this.#place(placing, outcome.envelope, outcome, item.ciphertextHash)) {
            received = true;
          } else {
            alert('two frames under one number');
          }
          break;
        case 'refuse':
          alert(`frame refused: ${outcome.what}`);
          this.#hole(placing, outcome.envelope, 'refused');
          break;
        case 'hold':
          if (this.#isFilled(outcome.envelope)) break;
          store.held.keep(outcome.envelope.sender, outcome.reason, item.ciphertextHash, item.bytes, nowMs);
          isHeld = true;
          if (item.position && outcome.reason === 'unlisted device') unlisted.push(outcome.envelope.sender);
          this.#hole(placing, outcome.envelope, outcome.reason);
          break;
      }
      if (item.heldId !== undefined && outcome.type !== 'hold') store.held.remove(item.heldId);
      committed = item.position ?? committed;
    }
    if (isHeld) store.held.age(nowMs - limits.heldMaxAgeMs);
    placing.finish();
    if (placing.released) store.consumers.offerToWaiting(store.messages.lastInbox());
    if (committed) store.device.setCommitted(committed);
    return { placing, received, committed, newSessions, unlisted };
  }

  #repeat(placing: Placing, envelope: SequencedEnvelope, addedIn: number, ciphertextHash: Uint8Array): void {
    const { store } = this.#context;
    const epoch = store.conversations.epochByHandle(envelope.handle);
    if (epoch === undefined) return;
    const party = store.parties.ensure(envelope.sender, addedIn);
    const known = store.frames.frame(epoch.id, party, envelope.n);
    if (known === undefined) return;
    placing.place({ epoch: epoch.id, party, n: envelope.n, hash: known.hash, ciphertextHash, met: envelope });
  }

  /** Whether the frame has its place now; false where another has it. */
  #place(
    placing: Placing,
    envelope: SequencedEnvelope,
    { frame, bytes, addedIn, current }: Extract<Outcome, { readonly type: 'read' }>,
    ciphertextHash: Uint8Array,
  ): boolean {
    const { store, clock } = this.#context;
    const epoch = this.#epoch(envelope, current);
    if (epoch === undefined) throw new TypeError('a frame that was read names no conversation');
    const party = store.parties.ensure(envelope.sender, addedIn);
    store.receipts.follow(epoch.id, party);
    const placed: PlacedFrame = {
      epoch: epoch.id,
      party,
      n: envelope.n,
      hash: frameHash(bytes),
      ciphertextHash,
      met: envelope,
    };
    const message = toMessage(frame, envelope, epoch.conversation, epoch.id, party);
    const claims = frame.place;
    const isPlaced =
      placing.place({ ...placed, ...(claims && { claims }), ...(message && { message }) }) !== 'contradiction';
    if (isPlaced) store.answerable.keep(epoch.id, party, envelope.n, bytes, envelope.serverTimeMs, clock.now());
    return isPlaced;
  }

  /** Where an envelope says that it stands, if that is in a conversation with its sender. */
  #at(envelope: Envelope): Alarm['at'] {
    if (envelope.type === 'direct' || !this.#isKnown(envelope)) return undefined;
    const epoch = this.#context.store.conversations.epochByHandle(envelope.handle);
    return epoch && { epoch: epoch.id, sequence: envelope.sequence };
  }

  /** Whether repair brought what this envelope would have. */
  #isFilled(envelope: Envelope): boolean {
    const { store } = this.#context;
    const epoch = envelope.type === 'sequenced' ? store.conversations.epochByHandle(envelope.handle) : undefined;
    return (
      envelope.type === 'sequenced' &&
      epoch !== undefined &&
      store.frames.place(epoch.id, envelope.sequence) !== undefined
    );
  }

  /** A conversation may begin with what cannot be read. */
  #hole(placing: Placing, envelope: Envelope, reason: 'refused' | HeldReason): void {
    if (envelope.type === 'direct') return;
    const epoch = this.#epoch(envelope, this.#contacts.epoch(envelope.sender.account));
    if (epoch) placing.hole(epoch.id, envelope, reason);
  }

  /** The epoch that an envelope is of, begun where it is the current one with its sender. Within the transaction. */
  #epoch(envelope: SequencedEnvelope, current: DirectEpoch | undefined): EpochRow | undefined {
    const { store, clock } = this.#context;
    const { account } = envelope.sender;
    if (this.#isKnown(envelope)) return store.conversations.epochByHandle(envelope.handle);
    if (current?.handle !== envelope.handle) return undefined;
    const { id } = store.conversations.ensureDirect(account, clock.now());
    return store.conversations.ensureEpoch(id, current.number, envelope.handle);
  }

  async #pause(): Promise<void> {
    const { timers } = this.#context;
    await new Promise<void>((resolve) => void timers.after(limits.reconnectFirstMs, resolve));
  }
}
