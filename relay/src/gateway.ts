import { audience, limits, randomFraction, type Runtime } from '@waxwing/protocol';
import type { DeviceKey, Storage } from '@waxwing/storage';
import type { Logger } from 'pino';
import type { Channel, ChannelListener } from './channel.ts';
import { createConnection, tickMs, type Connection, type ConnectionDeps } from './connection.ts';
import type { Metrics } from './metrics.ts';
import { createPulse } from './pulse.ts';
import { createDeviceRates } from './rate-limit.ts';
import { createRegistry } from './registry.ts';
import { createTurn, type EndOfTurn } from './turn.ts';

export type GatewayDeps = {
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The origins that clients dial: tokens for any of them are taken. */
  readonly origins: readonly string[];
  /** Over what time an orderly stop spreads the return of its devices. */
  readonly drainSpreadMs: number;
  readonly endOfTurn: EndOfTurn;
};

/** The relay without sockets: connections over channels that someone else brings. */
export type Gateway = {
  /** Serves a new channel; what it answers is what the channel calls. `onAuthenticated`: the device has proved who it is. */
  connect(channel: Channel, onAuthenticated?: () => void): ChannelListener;
  /**
   * The orderly stop: every device is told to go away and when to come back, what it has submitted is answered, and its
   * connection is closed. Resolves when all have ended, however long the store takes: at most `requestTimeoutMs` and
   * `closeTimeoutMs`. Idempotent.
   */
  drain(): Promise<void>;
  /** Ends every connection at once. Idempotent. */
  close(): Promise<void>;
  readonly draining: boolean;
  /** Open channels, authenticated or not. */
  connections(): number;
  /** Closes the device's connection, if it has one here. */
  disconnect(device: DeviceKey, code: 'device_removed'): void;
};

export function createGateway(o: GatewayDeps): Gateway {
  const { runtime } = o;
  const connections = new Set<Connection>();
  const deps: ConnectionDeps = {
    ...o,
    turn: createTurn(o.endOfTurn),
    pulse: createPulse(runtime.timers, tickMs),
    audiences: o.origins.map((origin) => audience('relay', origin)),
    rates: createDeviceRates(runtime.clock),
    registry: createRegistry<Connection>(),
    onClosed(connection) {
      connections.delete(connection);
      settle();
    },
  };
  let lastId = 0;
  let isDraining = false;
  let draining: Promise<void> | undefined;
  let onEmpty: (() => void)[] = [];

  const settle = (): void => {
    if (connections.size > 0) return;
    const calls = onEmpty;
    onEmpty = [];
    for (const call of calls) call();
  };

  const empty = (): Promise<void> =>
    new Promise((resolve) => {
      onEmpty.push(resolve);
      settle();
    });

  const drain = async (): Promise<void> => {
    isDraining = true;
    const cancel = runtime.timers.after(limits.requestTimeoutMs, () => {
      for (const connection of connections) connection.close('going_away');
    });
    for (const connection of connections) {
      void connection.goAway(Math.floor(randomFraction(runtime.randomBytes) * o.drainSpreadMs));
    }
    await empty();
    cancel();
  };

  return {
    connect(channel, onAuthenticated = () => undefined) {
      lastId += 1;
      const connection = createConnection(deps, { id: lastId, channel, onAuthenticated });
      connections.add(connection);
      if (isDraining) connection.close('going_away');
      return connection;
    },
    drain: () => (draining ??= drain()),
    async close() {
      isDraining = true;
      for (const connection of connections) connection.closeNow('going_away');
      await empty();
    },
    get draining() {
      return isDraining;
    },
    connections: () => connections.size,
    disconnect(device, code) {
      deps.registry.find(device)?.close(code);
    },
  };
}
