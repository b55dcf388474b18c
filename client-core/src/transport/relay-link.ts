import {
  closeClass,
  closeCodes,
  isErrorCode,
  limits,
  type Accepted,
  type CloseClass,
  type DirectSubmit,
  type ErrorCode,
  type Handle,
  type Head,
  type Mark,
  type Position,
  type Ready,
  type Rejected,
  type Deliver,
  type Submit,
} from '@waxwing/protocol';
import { UnreachableError, WaxwingError } from '../errors.ts';
import { Backoff } from './backoff.ts';
import { Connection, type ConnectionEnd, type ConnectionOptions } from './connection.ts';

/** How a link stands. `live` is after Drained. */
export type LinkState =
  | { readonly type: 'down'; readonly retryAtMs?: number; readonly reason?: string }
  | { readonly type: 'connecting' }
  | { readonly type: 'draining' }
  | { readonly type: 'live' }
  /** Ended for good; `start` begins anew. */
  | { readonly type: 'stopped'; readonly reason: ErrorCode | 'closed' };

export type LinkEvents = {
  stateChanged(state: LinkState): void;
  /** The relay took the device. Envelopes follow; nothing may be submitted before. */
  ready(ready: Ready): void;
  /** All envelopes of one batch, in order. */
  delivered(deliveries: readonly Deliver[]): void;
  marked(marks: readonly Mark[]): void;
  drained(): void;
  prekeysLow(): void;
  mailboxRestarted(incarnation: string): void;
};

/** The answer to a submit; `lost` where the connection ended first and the outcome is unknown. */
export type SubmitAnswer = Accepted | Rejected | { readonly type: 'lost' };

/** The client's side of the relay connection: dialling, handshake, heartbeat, reconnecting, and matching answers to requests. */
export type RelayLink = {
  readonly state: LinkState;
  /** Milliseconds to add to the local clock to get the server's; 0 until a challenge came. */
  readonly clockSkewMs: number;
  /** Keeps the link up from now on. Idempotent; also ends `stopped`, and a pending wait. */
  start(): void;
  /** Ends the link with a normal close. Idempotent. */
  stop(): void;
  submit(submit: Omit<Submit, 'type' | 'request'>): Promise<SubmitAnswer>;
  submitDirect(submit: Omit<DirectSubmit, 'type' | 'request'>): Promise<SubmitAnswer>;
  /** In any number. Rejects with `unreachable` where the link is down or goes down, and with the code where the relay refuses. */
  heads(handles: readonly Handle[]): Promise<readonly Head[]>;
  /** Sent at once or up to `ackDelayMs` later, the newest for all; also what heartbeats carry. */
  ack(committed: Position): void;
};

/** Needs-auth closes in a row, all for the same reason, after which another token is not worth trying. */
const HOPELESS_REFUSALS = 3;

/** `dial`, `answer` and `events` are not called before `start`. */
export function createRelayLink(o: ConnectionOptions & { readonly events: LinkEvents }): RelayLink {
  return new ReconnectingLink(o);
}

/**
 *   down --start--> connecting --Ready--> draining --Drained--> live
 *
 *   connecting, draining, live:
 *     --lost, or closed to retry--> down until retryAt --time, or start--> connecting
 *     --closed for want of a good token--> down, the first time until now, then as above; the third time for one reason: stopped
 *     --closed because the token came too late--> as if lost
 *     --closed for good, or stop--> stopped --start--> connecting
 */
class ReconnectingLink implements RelayLink {
  readonly #o: ConnectionOptions;
  readonly #events: LinkEvents;
  readonly #backoff: Backoff;
  #state: LinkState = { type: 'down' };
  #clockSkewMs = 0;
  #connection: Connection | undefined;
  #cancelWait: () => void = () => undefined;
  /** The needs-auth closes since the last Ready: the reason of the last, and how many in a row gave it. */
  #refusals: { readonly reason: ErrorCode; readonly inARow: number } | undefined;

  constructor({ events, ...o }: ConnectionOptions & { readonly events: LinkEvents }) {
    this.#o = o;
    this.#events = events;
    this.#backoff = new Backoff(o.runtime.randomBytes);
  }

  get state(): LinkState {
    return this.#state;
  }

  get clockSkewMs(): number {
    return this.#clockSkewMs;
  }

  start(): void {
    if (this.#connection) return;
    this.#cancelWait();
    this.#connect();
  }

  stop(): void {
    if (this.#state.type === 'stopped') return;
    this.#cancelWait();
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
    this.#stopped('closed');
  }

  submit(submit: Omit<Submit, 'type' | 'request'>): Promise<SubmitAnswer> {
    return this.#connection?.submit(submit) ?? Promise.resolve({ type: 'lost' });
  }

  submitDirect(submit: Omit<DirectSubmit, 'type' | 'request'>): Promise<SubmitAnswer> {
    return this.#connection?.submitDirect(submit) ?? Promise.resolve({ type: 'lost' });
  }

  async heads(handles: readonly Handle[]): Promise<readonly Head[]> {
    const heads: Head[] = [];
    for (let from = 0; from < handles.length; from += limits.handlesPerHeads) {
      const answer = await this.#connection?.heads(handles.slice(from, from + limits.handlesPerHeads));
      if (answer?.type === 'rejected') throw new WaxwingError(answer.code, { retryAfterMs: answer.retryAfterMs });
      if (answer?.type !== 'heads_reply') throw new UnreachableError();
      heads.push(...answer.heads);
    }
    return heads;
  }

  ack(committed: Position): void {
    this.#connection?.ack(committed);
  }

  #become(state: LinkState): void {
    this.#state = state;
    this.#events.stateChanged(state);
  }

  #stopped(reason: ErrorCode | 'closed'): void {
    this.#backoff.reset();
    this.#refusals = undefined;
    this.#become({ type: 'stopped', reason });
  }

  #connect(): void {
    const events = this.#events;
    this.#connection = new Connection(this.#o, {
      challenged: ({ serverTimeMs }) => {
        this.#clockSkewMs = serverTimeMs - this.#o.runtime.clock.now();
      },
      ready: (ready) => {
        this.#refusals = undefined;
        this.#become({ type: 'draining' });
        events.ready(ready);
      },
      drained: () => {
        this.#backoff.reset();
        this.#become({ type: 'live' });
        events.drained();
      },
      delivered: (deliveries) => events.delivered(deliveries),
      marked: (marks) => events.marked(marks),
      prekeysLow: () => events.prekeysLow(),
      mailboxRestarted: (incarnation) => events.mailboxRestarted(incarnation),
      ended: (end) => {
        if (!this.#connection) return;
        this.#connection = undefined;
        this.#ended(end);
      },
    });
    this.#become({ type: 'connecting' });
  }

  #ended({ code, reason, retryAfterMs }: ConnectionEnd): void {
    const known = isErrorCode(reason) ? reason : undefined;
    switch (code === undefined ? deviceClass(reason) : closeClass(code)) {
      case 'retry':
        this.#wait(this.#backoff.next(retryAfterMs), reason);
        break;
      case 'reauthenticate':
        // The token did not come in time: the network is slow, and no other token would help.
        if (known === 'token_missing') this.#wait(this.#backoff.next(), reason);
        else this.#refused(known ?? 'token_rejected');
        break;
      case 'terminal':
        this.#stopped(known ?? closeReason(code));
        break;
    }
  }

  #refused(reason: ErrorCode): void {
    const before = this.#refusals;
    const inARow = before?.reason === reason ? before.inARow + 1 : 1;
    this.#refusals = { reason, inARow };
    if (inARow === HOPELESS_REFUSALS) this.#stopped(reason);
    else this.#wait(before ? this.#backoff.next() : 0, reason);
  }

  #wait(delayMs: number, reason: string): void {
    const { clock, timers } = this.#o.runtime;
    this.#cancelWait = timers.after(delayMs, () => this.#connect());
    this.#become({ type: 'down', retryAtMs: clock.now() + delayMs, reason });
  }
}

/** What follows where the device itself gave up: only that the two share no version is final. */
function deviceClass(reason: string): CloseClass {
  return reason === 'unsupported_version' ? 'terminal' : 'retry';
}

/** The name of a terminal close code, for a close that gives no reason. */
function closeReason(code: number | undefined): ErrorCode {
  const [name] = Object.entries(closeCodes).find(([, value]) => value === code) ?? [];
  return name !== undefined && isErrorCode(name) ? name : 'unexpected';
}
