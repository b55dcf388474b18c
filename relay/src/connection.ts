import {
  closeCodes,
  decodeUpBatch,
  errorRow,
  limits,
  ProtocolError,
  protocolVersions,
  type Authenticate,
  type CloseName,
  type ErrorCode,
  type Timers,
  type Up,
} from '@waxwing/protocol';
import type { DeviceKey } from '@waxwing/storage';
import type { Logger } from 'pino';
import { authenticate } from './authenticate.ts';
import type { Channel, ChannelListener } from './channel.ts';
import { createOutgoing, type Outgoing, type OutgoingHost } from './outgoing.ts';
import type { Beat, Pulse, PulseMember } from './pulse.ts';
import type { Registered, Registry } from './registry.ts';
import { arePrekeysLow, Session, type SessionDeps, type SessionHost } from './session.ts';
import type { Turn } from './turn.ts';

/*
 *   challenged ──Authenticate──▶ authenticating ──Ready──▶ draining ──Drained──▶ live
 *        │ no Authenticate             │ token, clone,          │ going away, displaced, device removed,
 *        │ within authenticateWithinMs │ newer connection       │ slow reader, heartbeat lost, bad message
 *        └────────────────────────┬────┴────────────────────────┘
 *                                 ▼
 *                              closed      nothing is read or sent any more; the channel ends by itself, or is
 *                                          terminated after closeTimeoutMs
 *
 * A message that the state does not allow closes with `unexpected`.
 */
type State = 'challenged' | 'authenticating' | 'draining' | 'live' | 'closed';

/** One device's connection, over any channel. */
export type Connection = ChannelListener &
  Registered & {
    close(name: CloseName): void;
    /** Closes, and ends the channel without waiting for the other side. */
    closeNow(name: CloseName): void;
    /** Tells the device to come back after this time, answers what it has asked for, and closes. */
    goAway(retryAfterMs: number): Promise<void>;
  };

/** What all connections of a gateway share. */
export type ConnectionDeps = SessionDeps & {
  readonly turn: Turn;
  /** Beats every `tickMs`. */
  readonly pulse: Pulse;
  readonly log: Logger;
  readonly audiences: readonly string[];
  readonly registry: Registry<Connection>;
  /** The channel of the connection has ended. */
  readonly onClosed: (connection: Connection) => void;
};

export type ConnectionOptions = {
  /** Grows with every connection of the gateway. */
  readonly id: number;
  readonly channel: Channel;
  /** The device has proved who it is. */
  readonly onAuthenticated: () => void;
};

/** Half a heartbeat: how often a connection looks after itself. */
export const tickMs = limits.heartbeatMs / 2;

/** Twice what the rate of submits lets through in a tick: more messages than that are no device's work. */
const messagesPerTick = 2 * (limits.submitsPerDeviceBurst + (limits.submitsPerDeviceRefillPerSecond * tickMs) / 1_000);

/** Sends the challenge, and is then driven by the channel, the store and the timers. */
export function createConnection(deps: ConnectionDeps, options: ConnectionOptions): Connection {
  return new DeviceConnection(deps, options);
}

/** What there is until the device has proved who it is. */
type Challenged = { readonly nonce: Uint8Array; readonly onAuthenticated: () => void; readonly stop: () => void };

/** A class, since there are thousands: each keeps what differs, and nothing that all have alike. */
class DeviceConnection implements Connection, OutgoingHost, SessionHost, PulseMember {
  readonly id: number;
  readonly channel: Channel;
  readonly outgoing: Outgoing;
  readonly #deps: ConnectionDeps;
  readonly #beat: Beat;
  #state: State = 'challenged';
  #challenged: Challenged | undefined;
  #session: Session | undefined;
  #registeredAs: DeviceKey | undefined;
  #cancelTerminate: (() => void) | undefined;
  #admittedMs = 0;
  #silentMs = 0;
  #messagesInTick = 0;

  constructor(deps: ConnectionDeps, { id, channel, onAuthenticated }: ConnectionOptions) {
    const { runtime, metrics } = deps;
    const nonce = runtime.randomBytes(32);
    this.id = id;
    this.channel = channel;
    this.#deps = deps;
    this.outgoing = createOutgoing(this);
    this.#beat = deps.pulse.add(this);
    const stop = runtime.timers.after(limits.authenticateWithinMs, () => this.closeFor('token_missing'));
    this.#challenged = { nonce, onAuthenticated, stop };
    metrics.opened();
    this.outgoing.push({
      type: 'challenge',
      nonce,
      serverTimeMs: runtime.clock.now(),
      versions: protocolVersions,
      limits: told,
    });
  }

  get timers(): Timers {
    return this.#deps.runtime.timers;
  }

  get turn(): Turn {
    return this.#deps.turn;
  }

  received(data: Uint8Array, isText: boolean): void {
    if (this.#isOver()) return;
    this.#silentMs = 0;
    try {
      if (isText !== (this.channel.form === 'json')) {
        this.closeFor('malformed');
        return;
      }
      for (const up of decodeUpBatch(data, this.channel.form)) {
        this.#messagesInTick += 1;
        if (this.#messagesInTick > messagesPerTick) this.closeFor('rate_limited');
        if (this.#isOver()) return;
        this.#handle(up);
      }
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.closeFor(error.code);
        return;
      }
      this.#deps.log.error({ err: error, connection: this.id }, 'a message could not be handled');
      this.closeFor('internal');
    }
  }

  drained(): void {
    this.outgoing.drained();
  }

  closed(): void {
    this.#cancelTerminate?.();
    if (!this.#isOver()) this.#leave('peer');
    this.#deps.onClosed(this);
  }

  displace(): void {
    this.closeFor('displaced');
  }

  close(name: CloseName, reason: string = name): void {
    if (this.#isOver()) return;
    this.outgoing.flush();
    this.#leave(name);
    this.#cancelTerminate = this.timers.after(limits.closeTimeoutMs, () => this.channel.terminate());
    this.channel.close(closeCodes[name], reason);
  }

  closeNow(name: CloseName): void {
    this.close(name);
    this.channel.terminate();
  }

  closeFor(code: ErrorCode): void {
    this.close(errorRow(code).close ?? 'overloaded', code);
  }

  async goAway(retryAfterMs: number): Promise<void> {
    if (this.#session && !this.#isOver()) {
      this.outgoing.push({ type: 'go_away', retryAfterMs });
      await this.#session.finish();
    }
    this.close('going_away');
  }

  tick(): void {
    this.#silentMs += tickMs;
    this.#messagesInTick = 0;
    if (this.#silentMs > limits.heartbeatLostMs) this.closeNow('heartbeat_lost');
    else this.#session?.tick();
  }

  onFlowing(): void {
    this.#session?.resume();
  }

  onStuck(): void {
    this.closeNow('slow_reader');
  }

  onLive(): void {
    const { metrics, runtime } = this.#deps;
    this.#state = 'live';
    metrics.drained((runtime.clock.now() - this.#admittedMs) / 1_000);
  }

  onStoreFault(error: unknown): void {
    this.#deps.metrics.storeFault();
    this.#deps.log.error({ err: error, connection: this.id }, 'the store failed');
  }

  #isOver(): boolean {
    return this.#state === 'closed';
  }

  /** Leaves whatever state it is in, once. */
  #leave(name: CloseName | 'peer'): void {
    const { registry, metrics, log } = this.#deps;
    this.#state = 'closed';
    this.#challenged?.stop();
    this.#challenged = undefined;
    this.#beat.remove(this);
    this.#session?.stop();
    this.outgoing.stop();
    if (this.#registeredAs) {
      registry.remove(this.#registeredAs, this);
      metrics.unauthenticated();
    }
    metrics.closed(name);
    log.debug({ connection: this.id, code: name }, 'connection closed');
  }

  #handle(up: Up): void {
    if (up.type === 'authenticate') {
      if (this.#state !== 'challenged' || !this.#challenged) {
        this.closeFor('unexpected');
        return;
      }
      this.#admit(up, this.#challenged).catch((error: unknown) => {
        this.onStoreFault(error);
        this.closeFor('unavailable');
      });
      return;
    }
    if (up.type === 'heartbeat' && this.#state === 'authenticating') return;
    if (this.#session) this.#session.handle(up);
    else this.closeFor('unexpected');
  }

  async #admit(request: Authenticate, { nonce, onAuthenticated, stop }: Challenged): Promise<void> {
    const { storage, runtime, audiences, registry, metrics } = this.#deps;
    this.#state = 'authenticating';
    this.#challenged = undefined;
    stop();
    this.#admittedMs = runtime.clock.now();
    const who = await authenticate(request, { audiences, nonce, nowMs: this.#admittedMs }, storage.directory);
    if (this.#isOver()) return;
    if (who.type === 'refused') {
      this.closeFor(who.code);
      return;
    }
    onAuthenticated();
    const { device } = who;
    const claim = await storage.directory.claimGeneration(device, request.generations);
    if (this.#isOver()) return;
    if (claim === 'cloned') {
      this.closeFor('cloned');
      return;
    }
    if (!registry.admit(device, this)) {
      this.closeFor('displaced');
      return;
    }
    this.#registeredAs = device;
    metrics.authenticated();
    const [opened, prekeysLow] = await Promise.all([
      storage.mailboxes.open(device, request.committed),
      arePrekeysLow(storage.prekeys, device),
    ]);
    if (this.#isOver()) return;
    const { incarnation, restarted: mailboxRestarted, marks } = opened;
    this.outgoing.push({ type: 'ready', incarnation, mailboxRestarted, prekeysLow, marks });
    this.#state = 'draining';
    this.#session = new Session(this.#deps, this, { device, opened, prekeysLow });
    this.#session.begin();
  }
}

/** The limits that a device is told. */
const told = {
  batchMaxBytes: limits.batchMaxBytes,
  ciphertextMaxBytes: limits.ciphertextMaxBytes,
  windowPerHandle: limits.windowPerHandle,
  windowInAll: limits.windowInAll,
  heartbeatMs: limits.heartbeatMs,
};
