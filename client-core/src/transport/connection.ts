import {
  ProtocolError,
  decodeDownBatch,
  limits,
  protocolVersions,
  type Accepted,
  type Authenticate,
  type Challenge,
  type Deliver,
  type DirectSubmit,
  type Down,
  type Handle,
  type HeadsReply,
  type Mark,
  type Position,
  type Ready,
  type Rejected,
  type Runtime,
  type Submit,
} from '@waxwing/protocol';
import { AckPacer } from './ack-pacer.ts';
import type { Channel, Dial } from './channel.ts';
import { PendingRequests, type Lost } from './pending-requests.ts';
import { UpQueue } from './up-queue.ts';

/** Answers a challenge. Called at each connection; may commit first. Rejecting ends the attempt as if it were lost. */
export type AnswerChallenge = (challenge: Challenge) => Promise<Omit<Authenticate, 'type'>>;

/** How a connection ended: with the relay's close code, or, where `code` is absent, because the device gave it up. */
export type ConnectionEnd = { readonly code?: number; readonly reason: string; readonly retryAfterMs?: number };

export type ConnectionEvents = {
  challenged(challenge: Challenge): void;
  ready(ready: Ready): void;
  delivered(deliveries: readonly Deliver[]): void;
  marked(marks: readonly Mark[]): void;
  drained(): void;
  prekeysLow(): void;
  mailboxRestarted(incarnation: string): void;
  /** Once, last, after every request was settled. */
  ended(end: ConnectionEnd): void;
};

export type ConnectionOptions = {
  readonly url: string;
  readonly dial: Dial;
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'randomBytes'>;
  readonly answer: AnswerChallenge;
  /** The device's committed position, as heartbeats carry it. */
  readonly committed: () => Position | undefined;
};

/** However often a relay asks for heartbeats. */
const FASTEST_HEARTBEAT_MS = 1_000;

type Phase = 'dialling' | 'answering' | 'authenticating' | 'draining' | 'live' | 'ended';
const READY: readonly Phase[] = ['draining', 'live'];

/**
 * One connection, from dialling to its end.
 *
 *   dialling --Challenge--> answering --answer--> authenticating --Ready--> draining --Drained--> live
 *       \____________________\____________________\____________________\____________________\--> ended
 *
 * Every phase ends by the channel's close, by `close`, by bytes or messages that are not the protocol's, and by silence:
 * up to Ready the whole handshake has `requestTimeoutMs`, afterwards each batch may follow the one before by
 * `heartbeatLostMs`, and each request must be answered within `requestTimeoutMs`.
 */
export class Connection {
  readonly #o: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #channel: Channel;
  readonly #queue: UpQueue;
  readonly #requests: PendingRequests;
  readonly #acks: AckPacer;
  #phase: Phase = 'dialling';
  #mailbox: string | undefined;
  #heartbeatMs: number = limits.heartbeatMs;
  #goAwayMs: number | undefined;
  #cancelSilence: () => void;
  #cancelHeartbeat: () => void = () => undefined;

  constructor(o: ConnectionOptions, events: ConnectionEvents) {
    this.#o = o;
    this.#events = events;
    this.#channel = o.dial(o.url, {
      opened: () => undefined,
      received: (bytes) => this.#received(bytes),
      closed: (end) => this.#end(end),
    });
    this.#queue = new UpQueue((batch) => this.#channel.send(batch));
    this.#requests = new PendingRequests(o.runtime.timers, () => this.#giveUp('heartbeat_lost'));
    this.#acks = new AckPacer(o.runtime.timers, (committed) => this.#queue.push({ type: 'ack', committed }));
    this.#cancelSilence = this.#silence(limits.requestTimeoutMs);
  }

  /** Lost at once before Ready, and rejected as too large where the relay would end the connection over it. */
  submit(submit: Omit<Submit, 'type' | 'request'>): Promise<Accepted | Rejected | Lost> {
    return this.#submit((request) => ({ type: 'submit', request, ...submit }));
  }

  submitDirect(submit: Omit<DirectSubmit, 'type' | 'request'>): Promise<Accepted | Rejected | Lost> {
    return this.#submit((request) => ({ type: 'direct_submit', request, ...submit }));
  }

  /** At most `handlesPerHeads`. */
  heads(handles: readonly Handle[]): Promise<HeadsReply | Rejected | Lost> {
    if (!this.#isReady()) return Promise.resolve({ type: 'lost' });
    return new Promise((settle) => {
      this.#queue.push({ type: 'heads', request: this.#requests.openHeads(settle), handles });
    });
  }

  ack(committed: Position): void {
    this.#acks.ack(committed);
  }

  /** Sends what is queued, a pending ack too, and ends the connection. `ended` follows before this returns. */
  close(): void {
    this.#acks.flush();
    this.#queue.flush();
    this.#giveUp('closed');
  }

  #submit(make: (request: number) => Submit | DirectSubmit): Promise<Accepted | Rejected | Lost> {
    if (!this.#isReady()) return Promise.resolve({ type: 'lost' });
    return new Promise((settle) => {
      const request = this.#requests.openSubmit(settle);
      if (this.#queue.push(make(request))) return;
      this.#requests.answer({ type: 'rejected', request, code: 'too_large', retryAfterMs: 0, mismatches: [] });
    });
  }

  #isReady(): boolean {
    return READY.includes(this.#phase);
  }

  #received(bytes: Uint8Array): void {
    if (this.#phase === 'ended') return;
    let batch: Down[];
    try {
      batch = decodeDownBatch(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#giveUp(error.code);
      return;
    }
    if (this.#isReady()) this.#heard();
    let deliveries: Deliver[] = [];
    for (const down of batch) {
      if (down.type === 'deliver') {
        deliveries.push(down);
        continue;
      }
      this.#deliver(deliveries);
      deliveries = [];
      this.#handle(down);
    }
    this.#deliver(deliveries);
  }

  #deliver(deliveries: readonly Deliver[]): void {
    if (deliveries.length === 0) return;
    this.#during(READY, () => {
      this.#acks.delivered(deliveries.reduce((bytes, { envelope }) => bytes + envelope.length, 0));
      this.#events.delivered(deliveries);
    });
  }

  #handle(down: Exclude<Down, Deliver>): void {
    switch (down.type) {
      case 'challenge':
        this.#during(['dialling'], () => this.#challenged(down));
        break;
      case 'ready':
        this.#during(['authenticating'], () => this.#becomeReady(down));
        break;
      case 'drained':
        this.#during(['draining'], () => {
          this.#phase = 'live';
          this.#events.drained();
        });
        break;
      case 'marks':
        this.#during(READY, () => this.#events.marked(down.marks));
        break;
      case 'prekeys_low':
        this.#during(READY, () => this.#events.prekeysLow());
        break;
      case 'mailbox_restarted':
        this.#during(READY, () => {
          this.#drain(down.incarnation);
          this.#events.mailboxRestarted(down.incarnation);
        });
        break;
      case 'accepted':
      case 'rejected':
      case 'heads_reply':
        if (!this.#requests.answer(down)) this.#giveUp('unexpected');
        break;
      case 'go_away':
        this.#goAwayMs = down.retryAfterMs;
        break;
      case 'heartbeat':
      case 'entries_reply':
        break;
    }
  }

  #during(phases: readonly Phase[], handle: () => void): void {
    if (phases.includes(this.#phase)) handle();
    else this.#giveUp('unexpected');
  }

  #challenged(challenge: Challenge): void {
    this.#phase = 'answering';
    this.#events.challenged(challenge);
    if (!challenge.versions.some((version) => protocolVersions.some((spoken) => spoken === version))) {
      this.#giveUp('unsupported_version');
      return;
    }
    this.#queue.limitTo(challenge.limits.batchMaxBytes);
    this.#heartbeatMs = Math.min(this.#heartbeatMs, Math.max(FASTEST_HEARTBEAT_MS, challenge.limits.heartbeatMs));
    this.#o.answer(challenge).then(
      (answer) => {
        if (this.#phase !== 'answering') return;
        this.#phase = 'authenticating';
        this.#queue.push({ type: 'authenticate', ...answer });
      },
      () => this.#giveUp('unanswered'),
    );
  }

  #becomeReady(ready: Ready): void {
    this.#phase = 'draining';
    this.#drain(ready.incarnation);
    this.#heard();
    this.#beat();
    this.#events.ready(ready);
  }

  #drain(incarnation: string): void {
    this.#mailbox = incarnation;
    this.#acks.drain(incarnation);
  }

  #heard(): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#silence(limits.heartbeatLostMs);
  }

  #silence(forMs: number): () => void {
    return this.#o.runtime.timers.after(forMs, () => this.#giveUp('heartbeat_lost'));
  }

  #beat(): void {
    this.#cancelHeartbeat = this.#o.runtime.timers.after(this.#heartbeatMs, () => {
      const committed = this.#o.committed();
      const named = committed?.incarnation === this.#mailbox;
      this.#queue.push({ type: 'heartbeat', ...(named && committed && { committed }) });
      this.#beat();
    });
  }

  #giveUp(reason: string): void {
    if (this.#phase === 'ended') return;
    this.#channel.close();
    this.#end({ reason });
  }

  #end(end: ConnectionEnd): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#cancelSilence();
    this.#cancelHeartbeat();
    this.#acks.stop();
    this.#queue.clear();
    this.#requests.lose();
    const retryAfterMs = end.retryAfterMs ?? this.#goAwayMs;
    this.#events.ended({ ...end, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  }
}
