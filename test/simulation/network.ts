import {
  decodeDownBatch,
  decodeEnvelope,
  decodeUpBatch,
  encodeDownBatch,
  encodeUpBatch,
  type Down,
  type Timers,
  type Up,
} from '@waxwing/protocol';
import type { Dial } from '@waxwing/client-core';
import type { ChannelListener, Gateway } from '@waxwing/relay';
import type { Acknowledged } from './acknowledged.ts';
import type { Liar } from './liars/liar.ts';
import type { Random } from './random.ts';
import type { Trace } from './trace.ts';

/** What the way between a device and the server does to what travels. Changed while the run goes on. */
export type Weather = {
  /** Longest time that a message takes, at random for each; what comes after it waits, as in one stream. */
  latencyMs: number;
  /** While true, dialling and HTTP fail. */
  offline: boolean;
  /** Chance that a submit arrives twice. */
  duplicates: number;
  /** Chance that an HTTP exchange is lost on its way, there or back. */
  httpLoss: number;
};

/** A device's way to the server. */
export type Link = {
  readonly weather: Weather;
  readonly dial: Dial;
  /**
   * Ends the connection. What is on its way to the device is lost; to the server, lost or still arriving, perhaps behind
   * what is said on the next connection.
   */
  cut(): void;
  /** For so long nothing arrives; nothing is lost. */
  stall(ms: number): void;
  /** From now on nothing arrives one way, or both, and nobody is told. */
  swallow(way: 'up' | 'down' | 'both'): void;
  /** The device's process is gone: the server is told, the device is not. */
  dropDevice(): void;
  readonly connected: boolean;
};

type Pipe = { arrives: number };

export function createLink(o: {
  readonly name: string;
  readonly gateway: () => Gateway | undefined;
  readonly timers: Timers;
  readonly elapsedMs: () => number;
  readonly random: Random;
  readonly trace: Trace;
  readonly fired: (fault: string) => void;
  /** A message has left the device. */
  readonly left: (message: Up) => void;
  readonly acknowledged: Acknowledged;
  /** Stands between the device and the gateway. */
  readonly liar: () => Liar | undefined;
}): Link {
  const { random, timers, trace, name } = o;
  const weather: Weather = { latencyMs: 20, offline: false, duplicates: 0, httpLoss: 0 };
  let connection: ReturnType<typeof open> | undefined;
  let stalledUntil = 0;

  function arrival(pipe: Pipe): number {
    const now = o.elapsedMs();
    const unhindered = Math.max(pipe.arrives, now + 1 + random.fraction() * weather.latencyMs);
    if (stalledUntil > unhindered) o.fired('stall');
    const due = Math.max(stalledUntil, unhindered);
    pipe.arrives = due;
    return due - now;
  }

  function open(gateway: Gateway, handlers: Parameters<Dial>[1]) {
    const state = {
      isOver: false,
      deviceGone: false,
      up: { arrives: 0 },
      down: { arrives: 0 },
      noUp: false,
      noDown: false,
      /** What was on its way to the server when the connection ended is lost with it. */
      isUpLost: false,
    };
    let listener: ChannelListener | undefined;
    const later = (pipe: Pipe, call: () => void): void => void timers.after(arrival(pipe), call);

    const finish = (code: number, reason: string, tellServer: boolean): void => {
      if (state.isOver) return;
      state.isOver = true;
      state.isUpLost = random.chance(0.5);
      if (connection === api) connection = undefined;
      if (!state.deviceGone && !state.noDown)
        later(state.down, () => !state.deviceGone && handlers.closed({ code, reason }));
      if (tellServer && !state.noUp) later(state.up, () => listener?.closed());
    };
    const fromServer = (bytes: Uint8Array): void => {
      const messages = decodeDownBatch(bytes);
      toDevice(o.liar()?.down(name, messages) ?? messages);
    };
    const toDevice = (messages: readonly Down[]): void => {
      if (state.isOver || state.noDown || messages.length === 0) return;
      later(state.down, () => {
        if (state.isOver || state.deviceGone || state.noDown) return;
        for (const message of messages) {
          trace.line(`${name} ◀ ${describeDown(message)}`);
          if (message.type === 'ready' || message.type === 'marks') {
            for (const { reason } of message.marks) o.fired(reason === 'expired' ? 'expiry' : 'quota');
          }
        }
        o.acknowledged.down(name, messages);
        handlers.received(encodeDownBatch(messages));
      });
    };
    const api = {
      state,
      finish,
      close: (): void => {
        // The device lets go: it hears of the end at once, the server when that arrives.
        if (state.isOver) return;
        state.isOver = true;
        if (connection === api) connection = undefined;
        timers.after(0, () => !state.deviceGone && handlers.closed({ code: 1000, reason: 'closed' }));
        if (!state.noUp) later(state.up, () => listener?.closed());
        else timers.after(75_000, () => listener?.closed());
      },
      send(bytes: Uint8Array): void {
        if (state.isOver || state.deviceGone || state.noUp) return;
        const messages = decodeUpBatch(bytes);
        o.acknowledged.up(name, messages);
        for (const message of messages) o.left(message);
        later(state.up, () => {
          if (state.isUpLost || state.noUp) return;
          if (state.isOver) o.fired('arrival behind the end');
          const repeated = decodeUpBatch(bytes).flatMap((message) => {
            const twice = message.type === 'submit' && random.chance(weather.duplicates);
            if (twice) o.fired('duplicate submit');
            return twice ? [message, message] : [message];
          });
          for (const message of repeated) {
            trace.line(`${name} ▶ ${describeUp(message)}`);
          }
          const { up, down } = o.liar()?.up(name, repeated) ?? { up: repeated, down: [] };
          if (up.length > 0) listener?.received(encodeUpBatch(up), false);
          toDevice(down);
        });
      },
    };
    later(state.up, () => {
      if (state.isOver || state.noUp) return;
      listener = gateway.connect({
        form: 'binary',
        send: fromServer,
        bufferedBytes: () => 0,
        close: (code, reason) => later(state.down, () => finish(code, reason, true)),
        terminate: () => finish(1006, 'terminated', true),
      });
      later(state.down, () => !state.isOver && !state.deviceGone && handlers.opened());
    });
    return api;
  }

  const link: Link = {
    weather,
    dial(_url, handlers) {
      const gateway = o.gateway();
      if (weather.offline || gateway === undefined) {
        timers.after(1, () => handlers.closed({ code: 1006, reason: 'no route' }));
        return { send: () => undefined, bufferedBytes: 0, close: () => undefined };
      }
      const opened = open(gateway, handlers);
      connection = opened;
      return { send: (bytes) => opened.send(bytes), bufferedBytes: 0, close: () => opened.close() };
    },
    cut() {
      connection?.finish(1006, 'cut', true);
    },
    stall(ms) {
      stalledUntil = o.elapsedMs() + ms;
    },
    swallow(way) {
      if (connection === undefined) return;
      if (way !== 'down') connection.state.noUp = true;
      if (way !== 'up') connection.state.noDown = true;
    },
    dropDevice() {
      if (connection === undefined) return;
      connection.state.deviceGone = true;
      connection.finish(1006, 'gone', true);
    },
    get connected() {
      return connection !== undefined && !connection.state.isOver;
    },
  };
  return link;
}

function describeUp(up: Up): string {
  switch (up.type) {
    case 'submit':
      return `submit #${up.request} ${up.handle.slice(0, 6)} n=${up.n} attempt=${up.attempt} oldest=${up.oldest}`;
    case 'direct_submit':
      return `direct #${up.request} ${up.messageId.slice(-6)}`;
    case 'ack':
      return `ack ${up.committed.number}`;
    default:
      return up.type;
  }
}

function describeDown(down: Down): string {
  switch (down.type) {
    case 'deliver': {
      const envelope = decodeEnvelope(down.envelope);
      const what =
        envelope.type === 'sequenced'
          ? `${envelope.handle.slice(0, 6)} (${envelope.sequence.era}, ${envelope.sequence.number}) n=${envelope.n}`
          : `direct ${envelope.messageId.slice(-6)}`;
      return `deliver @${down.position.number} ${what}`;
    }
    case 'accepted':
      return `accepted #${down.request}${down.duplicate ? ' again' : ''} (${down.sequence?.era ?? '-'}, ${down.sequence?.number ?? '-'})`;
    case 'rejected':
      return `rejected #${down.request} ${down.code}`;
    default:
      return down.type;
  }
}
