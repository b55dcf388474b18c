import type { Dial, SendHttp } from '@waxwing/client-core';
import { randomFraction, type RandomBytes, type Up } from '@waxwing/protocol';
import type { Gateway } from '@waxwing/relay';
import { createLink, type Way } from './link.ts';
import type { ManualRuntime } from './manual-runtime.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What the way between a device and the server does to all that travels on it. */
export type Weather = {
  /** How long everything takes, one way, in virtual time. Order is kept. */
  readonly delayMs: number;
  /** The chance of each message that the connection breaks at it, and of each HTTP exchange that it is lost: 0 to 1. */
  readonly lossRate: number;
  /** The chance of each message that is sent from the device to arrive at the relay twice: 0 to 1. */
  readonly duplicateRate: number;
};

/** A device's network. It begins without delay and without faults. */
export type TestNetwork = {
  /** Ends the connection; until `online`, nothing reaches the server. Idempotent. */
  offline(): void;
  /** The client comes back by itself, when its next attempt is due. Idempotent. */
  online(): void;
  readonly isOnline: boolean;
  /** Breaks the connection once; what is on its way is lost. Harmless where there is none. */
  cut(): void;
  /** Nothing arrives for so long, and nothing is lost. */
  stall(ms: number): void;
  /** On this connection nothing arrives any more, and neither end is told: they find out by their heartbeats. */
  silence(): void;
  /** How it is from now on. What is absent stays as it is. */
  set(weather: Partial<Weather>): void;
};

/** The network, and what a client's runtime takes of it. */
export type NetworkParts = { readonly network: TestNetwork; readonly dial: Dial; readonly http: SendHttp };

export function createNetwork(o: {
  readonly runtime: ManualRuntime;
  readonly time: VirtualTime;
  readonly random: RandomBytes;
  readonly gateway: () => Gateway | undefined;
  readonly http: SendHttp;
}): NetworkParts {
  const { runtime, time } = o;
  let weather: Weather = { delayMs: 0, lossRate: 0, duplicateRate: 0 };
  let isOnline = true;
  let isSilent = false;
  /** When what went last arrives, by way; in time since the start. */
  const lastArrivalMs: Record<Way, number> = { up: 0, down: 0 };

  const strikes = (rate: number): boolean => rate > 0 && randomFraction(o.random) < rate;

  function refuseOffline(): void {
    if (!isOnline) throw new Error('no route');
  }

  function carry(way: Way, arrive: () => void): void {
    if (isSilent) return;
    if (strikes(weather.lossRate)) {
      link.cut(1006, 'lost');
      return;
    }
    const nowMs = runtime.elapsedMs();
    const dueMs = Math.max(lastArrivalMs[way], nowMs + weather.delayMs);
    lastArrivalMs[way] = dueMs;
    if (dueMs <= nowMs) time.later(arrive);
    else runtime.timers.after(dueMs - nowMs, arrive);
  }

  const link = createLink({
    gateway: () => (isOnline ? o.gateway() : undefined),
    carry,
    later: (task) => time.later(task),
    through: {
      up: (message) => (isSubmit(message) && strikes(weather.duplicateRate) ? [message, message] : [message]),
      down: (message) => [message],
    },
  });

  const pass = (way: Way): Promise<void> => {
    const waitMs = Math.max(lastArrivalMs[way] - runtime.elapsedMs(), weather.delayMs);
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => void runtime.timers.after(waitMs, resolve));
  };

  return {
    network: {
      offline() {
        isOnline = false;
        link.cut(1006, 'offline');
      },
      online() {
        isOnline = true;
      },
      get isOnline() {
        return isOnline;
      },
      cut: () => link.cut(),
      stall(ms) {
        const untilMs = runtime.elapsedMs() + ms;
        lastArrivalMs.up = Math.max(lastArrivalMs.up, untilMs);
        lastArrivalMs.down = Math.max(lastArrivalMs.down, untilMs);
      },
      silence() {
        isSilent = true;
      },
      set(changed) {
        weather = { ...weather, ...changed };
      },
    },
    dial(url, handlers) {
      isSilent = false;
      return link.dial(url, handlers);
    },
    async http(request) {
      const isLost = strikes(weather.lossRate);
      await pass('up');
      refuseOffline();
      if (isLost && strikes(0.5)) throw new Error('lost on its way');
      const answer = await time.counted(() => o.http(request));
      await pass('down');
      refuseOffline();
      if (isLost) throw new Error('the answer was lost');
      return answer;
    },
  };
}

/** Nothing else can come twice in one stream: a device submits again what it does not know to have arrived. */
function isSubmit({ type }: Up): boolean {
  return type === 'submit' || type === 'direct_submit';
}
