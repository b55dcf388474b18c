import {
  decodeUpBatch,
  encodeDownBatch,
  limits,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  type Accepted,
  type Authenticate,
  type Challenge,
  type Deliver,
  type Down,
  type Position,
  type Ready,
  type Up,
} from '@waxwing/protocol';
import type { ChannelHandlers, Dial } from '../../../../client-core/src/transport/channel.ts';
import {
  createRelayLink,
  type LinkEvents,
  type LinkState,
  type RelayLink,
} from '../../../../client-core/src/transport/relay-link.ts';
import { createManualRuntime, type ManualRuntime } from '../../../kit/src/manual-runtime.ts';

export const MAILBOX = Buffer.alloc(8, 1).toString('base64url');
export const OTHER_MAILBOX = Buffer.alloc(8, 2).toString('base64url');
const handle = parseHandle(Buffer.alloc(32, 7).toString('base64url'));
export const account = parseAccountId('00000000-0000-4000-8000-000000000001');

/** The relay's end of one dialled connection. */
export class FakeChannel {
  readonly handlers: ChannelHandlers;
  readonly batches: Up[][] = [];
  closedByDevice = false;

  constructor(handlers: ChannelHandlers) {
    this.handlers = handlers;
  }

  get sent(): Up[] {
    return this.batches.flat();
  }

  sentOf<Type extends Up['type']>(type: Type) {
    return this.sent.filter((up): up is Extract<Up, { type: Type }> => up.type === type);
  }

  say(...downs: Down[]): void {
    this.handlers.received(encodeDownBatch(downs));
  }

  end(code: number, reason = '', retryAfterMs?: number): void {
    this.handlers.closed({ code, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  }
}

export class Scene {
  readonly runtime: ManualRuntime;
  readonly channels: FakeChannel[] = [];
  readonly states: LinkState[] = [];
  readonly told: string[] = [];
  readonly link: RelayLink;
  committed: Position | undefined;
  onDelivered: () => void = () => undefined;
  answer: (challenge: Challenge) => Promise<Omit<Authenticate, 'type'>> = () =>
    Promise.resolve({ account, device: parseDeviceId(1), token: 'token', generations: [new Uint8Array(16)] });

  constructor(seed = 1) {
    this.runtime = createManualRuntime({ seed });
    const dial: Dial = (_url, handlers) => {
      const channel = new FakeChannel(handlers);
      this.channels.push(channel);
      return {
        send: (bytes) => channel.batches.push(decodeUpBatch(bytes)),
        bufferedBytes: 0,
        close: () => {
          channel.closedByDevice = true;
        },
      };
    };
    const events: LinkEvents = {
      stateChanged: (state) => this.states.push(state),
      ready: () => this.told.push('ready'),
      delivered: (deliveries) => {
        this.told.push(`delivered ${deliveries.map(({ position }) => position.number).join(' ')}`);
        this.onDelivered();
      },
      marked: (marks) => this.told.push(`marked ${marks.length}`),
      drained: () => this.told.push('drained'),
      prekeysLow: () => this.told.push('prekeysLow'),
      mailboxRestarted: (incarnation) => this.told.push(`restarted ${incarnation}`),
    };
    const answer = (challenge: Challenge) => this.answer(challenge);
    const committed = () => this.committed;
    this.link = createRelayLink({ url: 'ws://relay/', dial, runtime: this.runtime, answer, events, committed });
  }

  get channel(): FakeChannel {
    return this.channels.at(-1)!;
  }

  challenge(change: Partial<Challenge> = {}): Challenge {
    return {
      type: 'challenge',
      nonce: new Uint8Array(32),
      serverTimeMs: this.runtime.clock.now(),
      versions: [1],
      limits: {
        batchMaxBytes: limits.batchMaxBytes,
        ciphertextMaxBytes: limits.ciphertextMaxBytes,
        windowPerHandle: limits.windowPerHandle,
        windowInAll: limits.windowInAll,
        heartbeatMs: limits.heartbeatMs,
      },
      ...change,
    };
  }

  /** Takes the newest connection to Ready. */
  async makeReady(): Promise<void> {
    this.channel.handlers.opened();
    this.channel.say(this.challenge());
    await this.runtime.advanceAsync(0);
    this.channel.say(ready());
    await this.runtime.advanceAsync(0);
  }

  /** Starts, and takes the connection to live. */
  async makeLive(): Promise<void> {
    this.link.start();
    await this.makeReady();
    this.channel.say({ type: 'drained' });
    await this.runtime.advanceAsync(0);
  }

  /** How long the link waits now before it dials. */
  get waitMs(): number {
    const { state } = this.link;
    if (state.type !== 'down' || state.retryAtMs === undefined) throw new Error(state.type);
    return state.retryAtMs - this.runtime.clock.now();
  }

  /** Lets the wait pass, and checks that a connection is dialled exactly at its end. */
  async passWait(): Promise<void> {
    const [before, waitMs] = [this.channels.length, this.waitMs];
    if (waitMs > 0) await this.runtime.advanceAsync(waitMs - 1);
    if (waitMs > 0 && this.channels.length !== before) throw new Error('dialled early');
    await this.runtime.advanceAsync(1);
    if (this.channels.length !== before + 1) throw new Error('not dialled in time');
  }
}

export const ready = (change: Partial<Ready> = {}): Ready => ({
  type: 'ready',
  incarnation: MAILBOX,
  mailboxRestarted: false,
  prekeysLow: false,
  marks: [],
  ...change,
});

export const deliver = (number: number, bytes = 10): Deliver => ({
  type: 'deliver',
  position: { incarnation: MAILBOX, number },
  envelope: new Uint8Array(bytes),
});

export const accepted = (request: number, n = 1): Accepted => ({
  type: 'accepted',
  request,
  duplicate: false,
  n,
  attempt: 0,
  sequence: { era: parseEra(1), number: n },
  serverTimeMs: 1,
});

export const submit = (n = 1, bodyBytes = 10) => ({
  handle,
  n,
  attempt: 0,
  oldest: 1,
  body: new Uint8Array(bodyBytes),
});
