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
  type Runtime,
  type Up,
} from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey, type Storage } from '@waxwing/storage';
import type { Logger } from 'pino';
import { authenticate } from './authenticate.ts';
import type { Channel, ChannelListener } from './channel.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { createDispatch, type Dispatch } from './dispatch.ts';
import type { Metrics } from './metrics.ts';
import { createOutgoing, type EndOfTurn } from './outgoing.ts';
import type { DeviceRates } from './rate-limit.ts';
import type { Registered, Registry } from './registry.ts';

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
export type ConnectionDeps = {
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly endOfTurn: EndOfTurn;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly audiences: readonly string[];
  readonly rates: DeviceRates;
  readonly registry: Registry<Connection>;
};

export type ConnectionOptions = {
  /** Grows with every connection of the gateway. */
  readonly id: number;
  readonly channel: Channel;
  /** The device has proved who it is. */
  readonly onAuthenticated: () => void;
  readonly onClosed: () => void;
};

/** Half a heartbeat: how often a connection looks after itself. */
const tickMs = limits.heartbeatMs / 2;

/** Twice what the rate of submits lets through in a tick: more messages than that are no device's work. */
const messagesPerTick = 2 * (limits.submitsPerDeviceBurst + (limits.submitsPerDeviceRefillPerSecond * tickMs) / 1_000);

/** Sends the challenge, and is then driven by the channel, the store and the timers. */
export function createConnection(deps: ConnectionDeps, options: ConnectionOptions): Connection {
  const { storage, runtime, metrics, registry } = deps;
  const { channel, id } = options;
  const { timers, clock } = runtime;
  const nonce = runtime.randomBytes(32);
  let state: State = 'challenged';
  let session: { readonly device: DeviceKey; readonly dispatch: Dispatch; readonly delivery: Delivery } | undefined;
  let registeredAs: DeviceKey | undefined;
  let ticks = 0;
  let silentMs = 0;
  let messagesInTick = 0;
  let hasLookedInTick = false;
  let werePrekeysLow = false;
  let isInspecting = false;

  const isOver = (): boolean => state === 'closed';

  const outgoing = createOutgoing({
    channel,
    timers,
    endOfTurn: deps.endOfTurn,
    onFlowing: () => session?.delivery.resume(),
    onStuck: () => closeNow('slow_reader'),
  });

  const onStoreFault = (error: unknown): void => {
    metrics.storeFault();
    deps.log.error({ err: error, connection: id }, 'the store failed');
  };

  /** Leaves whatever state it is in, once. */
  const leave = (name: CloseName | 'peer'): void => {
    state = 'closed';
    cancelDeadline();
    cancelTick();
    session?.delivery.stop();
    outgoing.stop();
    if (registeredAs) {
      registry.remove(registeredAs, connection);
      metrics.unauthenticated();
    }
    metrics.closed(name);
    deps.log.debug({ connection: id, code: name }, 'connection closed');
  };

  const close = (name: CloseName, reason: string = name): void => {
    if (isOver()) return;
    outgoing.flush();
    leave(name);
    cancelTerminate = timers.after(limits.closeTimeoutMs, () => channel.terminate());
    channel.close(closeCodes[name], reason);
  };

  const closeNow = (name: CloseName): void => {
    close(name);
    channel.terminate();
  };

  /** Closes with what the error table says of this code. */
  const closeFor = (code: ErrorCode): void => close(errorRow(code).close ?? 'overloaded', code);

  const countError = (device: DeviceKey): void => {
    if (deps.rates.errors.take(deviceKeyText(device)) > 0) closeFor('rate_limited');
  };

  const arePrekeysLow = async (device: DeviceKey): Promise<boolean> => {
    const { oneTimeKeys, oneTimeKyberKeys } = await storage.prekeys.count(device);
    return Math.min(oneTimeKeys, oneTimeKyberKeys) < limits.prekeysLowBelow;
  };

  const admit = async (request: Authenticate): Promise<void> => {
    state = 'authenticating';
    cancelDeadline();
    const startMs = clock.now();
    const challenged = { audiences: deps.audiences, nonce, nowMs: startMs };
    const who = await authenticate(request, challenged, storage.directory);
    if (isOver()) return;
    if (who.type === 'refused') {
      closeFor(who.code);
      return;
    }
    options.onAuthenticated();
    const { device } = who;
    const claim = await storage.directory.claimGeneration(device, request.generations);
    if (isOver()) return;
    if (claim === 'cloned') {
      closeFor('cloned');
      return;
    }
    if (!registry.admit(device, connection)) {
      closeFor('displaced');
      return;
    }
    registeredAs = device;
    metrics.authenticated();
    const [opened, prekeysLow] = await Promise.all([
      storage.mailboxes.open(device, request.committed),
      arePrekeysLow(device),
    ]);
    if (isOver()) return;
    werePrekeysLow = prekeysLow;
    const { incarnation, restarted: mailboxRestarted, marks } = opened;
    outgoing.push({ type: 'ready', incarnation, mailboxRestarted, prekeysLow, marks });
    state = 'draining';
    const delivery = createDelivery({
      device,
      mailboxes: storage.mailboxes,
      opened,
      timers,
      send: (down) => outgoing.push(down),
      channelRoom: () => outgoing.room(),
      onDelivered: (entries, bytes) => metrics.delivered(entries, bytes),
      onDrained: () => {
        state = 'live';
        metrics.drained((clock.now() - startMs) / 1_000);
      },
      onStoreFault,
    });
    const dispatch = createDispatch({
      device,
      mailboxes: storage.mailboxes,
      rates: deps.rates,
      clock,
      metrics,
      reply: (down) => outgoing.push(down),
      onFault: () => countError(device),
      onStoreFault,
    });
    session = { device, dispatch, delivery };
    delivery.look();
  };

  const handle = (up: Up): void => {
    if (up.type === 'authenticate') {
      if (state !== 'challenged') {
        closeFor('unexpected');
        return;
      }
      admit(up).catch((error: unknown) => {
        onStoreFault(error);
        closeFor('unavailable');
      });
      return;
    }
    if (up.type === 'heartbeat' && state === 'authenticating') return;
    if (!session) {
      closeFor('unexpected');
      return;
    }
    const { delivery, dispatch } = session;
    switch (up.type) {
      case 'ack': {
        delivery.committed(up.committed);
        return;
      }
      case 'heartbeat':
        if (up.committed) delivery.committed(up.committed);
        if (!hasLookedInTick) delivery.look();
        hasLookedInTick = true;
        return;
      default: {
        dispatch.handle(up);
        return;
      }
    }
  };

  /** What may have changed without anyone telling: the device's place in the list, and its prekeys. */
  const inspect = async (device: DeviceKey): Promise<void> => {
    const stored = await storage.directory.deviceList(device.account);
    const listed = stored?.list.devices.find((other) => other.device === device.device);
    if (listed?.addedIn !== device.addedIn) {
      await storage.mailboxes.drop(device);
      closeFor('device_removed');
      return;
    }
    const low = await arePrekeysLow(device);
    if (low && !werePrekeysLow) outgoing.push({ type: 'prekeys_low' });
    werePrekeysLow = low;
  };

  const heartbeat = (): void => {
    if (!session) return;
    outgoing.push({ type: 'heartbeat' });
    session.delivery.look();
    if (isInspecting) return;
    isInspecting = true;
    inspect(session.device)
      .catch(onStoreFault)
      .finally(() => {
        isInspecting = false;
      });
  };

  const tick = (): void => {
    cancelTick = timers.after(tickMs, tick);
    silentMs += tickMs;
    messagesInTick = 0;
    hasLookedInTick = false;
    if (silentMs > limits.heartbeatLostMs) {
      closeNow('heartbeat_lost');
      return;
    }
    ticks += 1;
    if (ticks % 2 === 0) heartbeat();
  };

  const connection: Connection = {
    id,
    received(data, isText) {
      if (isOver()) return;
      silentMs = 0;
      try {
        if (isText !== (channel.form === 'json')) {
          closeFor('malformed');
          return;
        }
        for (const up of decodeUpBatch(data, channel.form)) {
          messagesInTick += 1;
          if (messagesInTick > messagesPerTick) closeFor('rate_limited');
          if (isOver()) return;
          handle(up);
        }
      } catch (error) {
        if (error instanceof ProtocolError) {
          closeFor(error.code);
          return;
        }
        deps.log.error({ err: error, connection: id }, 'a message could not be handled');
        closeFor('internal');
      }
    },
    drained: () => outgoing.drained(),
    closed() {
      cancelTerminate();
      if (!isOver()) leave('peer');
      options.onClosed();
    },
    displace: () => closeFor('displaced'),
    close: (name) => close(name),
    closeNow,
    async goAway(retryAfterMs) {
      if (session && !isOver()) {
        outgoing.push({ type: 'go_away', retryAfterMs });
        session.dispatch.refuseSubmits();
        await session.dispatch.idle();
      }
      close('going_away');
    },
  };

  let cancelTerminate = (): void => undefined;
  let cancelTick = timers.after(tickMs, tick);
  const cancelDeadline = timers.after(limits.authenticateWithinMs, () => closeFor('token_missing'));
  metrics.opened();
  outgoing.push({
    type: 'challenge',
    nonce,
    serverTimeMs: clock.now(),
    versions: protocolVersions,
    limits: {
      batchMaxBytes: limits.batchMaxBytes,
      ciphertextMaxBytes: limits.ciphertextMaxBytes,
      windowPerHandle: limits.windowPerHandle,
      windowInAll: limits.windowInAll,
      heartbeatMs: limits.heartbeatMs,
    },
  });
  return connection;
}
