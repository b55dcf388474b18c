import type { ManualRuntime } from '../kit/src/manual-runtime.ts';
import type { SimulatedDevice } from './device.ts';
import { changeList } from './list-change.ts';
import type { Listings } from './listings.ts';
import type { Fault, Plan } from './plan.ts';
import type { Random } from './random.ts';
import type { Backup, SimulatedServer } from './server.ts';
import type { Trace } from './trace.ts';

/** How long mail is kept where it expires. */
export const expiryMs = 60_000;
/** How many entries a mailbox has where it is small. */
export const quotaEntries = 8;

export type TroubleParts = {
  readonly plan: Plan;
  readonly people: readonly SimulatedDevice[];
  readonly server: SimulatedServer;
  readonly listings: Listings;
  readonly runtime: ManualRuntime;
  readonly random: Random;
  readonly trace: Trace;
  readonly fired: (fault: string) => void;
  readonly speak: (text: string, from: SimulatedDevice, to: SimulatedDevice) => void;
};

export type Trouble = {
  /** Sets up the faults of a phase, each at a time of its own. */
  readonly begin: () => void;
};

export function createTrouble(o: TroubleParts): Trouble {
  const { plan, people, server, runtime, random } = o;
  const has = (fault: Fault): boolean => plan.faults.has(fault);
  const at = (ms: number, call: () => void): void => void runtime.timers.after(ms, call);
  const fire = o.fired;
  const speak = o.speak;
  let backup: Backup | undefined;
  let serverOffMs = 0;

  async function restart(how: Parameters<typeof server.start>[0]): Promise<void> {
    if (server.up) server.crash();
    for (const device of people) device.link.cut();
    await server.start(how);
  }

  function begin(): void {
    const within = (share = 1): number => random.between(0, Math.floor(plan.phaseMs * share));
    const some = (most: number, call: () => void): void => {
      for (let left = random.between(1, most); left > 0; left -= 1) at(within(), call);
    };
    const someone = (): SimulatedDevice => random.pick(people);
    if (has('latency')) {
      for (const { link } of people) link.weather.latencyMs = random.pick([200, 1_500, 6_000]);
      fire('latency');
    }
    if (has('duplicate submit')) for (const { link } of people) link.weather.duplicates = 0.3;
    if (has('HTTP lost')) for (const { link } of people) link.weather.httpLoss = 0.3;
    if (has('slow store')) {
      server.storeMs = random.pick([50, 500, 4_000]);
      fire('slow store');
    }
    if (has('cut')) {
      some(5, () => {
        const { link } = someone();
        if (link.connected) fire('cut');
        link.cut();
      });
    }
    if (has('stall')) {
      some(2, () => {
        someone().link.stall(random.between(500, 15_000));
      });
    }
    if (has('half-open')) {
      some(1, () => {
        const { link } = someone();
        if (link.connected) fire('half-open');
        link.swallow(random.pick(['up', 'down', 'both']));
      });
    }
    if (has('offline')) {
      some(2, () => {
        const { link } = someone();
        link.weather.offline = true;
        if (link.connected) fire('offline');
        link.cut();
        at(random.between(1_000, 20_000), () => (link.weather.offline = false));
      });
    }
    if (has('crash')) {
      some(3, () => {
        const device = someone();
        device.crash();
        at(random.between(10, 8_000), () => device.start());
      });
    }
    if (has('crash at a commit')) {
      some(4, () => {
        const device = someone();
        if (device.client) device.crashAtCommit(random.between(1, 6), random.pick(['before', 'after']));
      });
      for (let ms = 1_000; ms < plan.phaseMs; ms += 2_500) at(ms, () => people.forEach((device) => device.start()));
    }
    if (has('server crash')) {
      some(3, () => {
        if (!server.up) return;
        server.crash();
        fire('server crash');
        for (const device of people) device.link.cut();
        at(random.between(50, 5_000), () => void (server.up ? undefined : server.start('whole')));
      });
    }
    if (has('device clock step')) {
      some(2, () => {
        someone().clockOffMs = random.pick([-25, -1, 1, 25]) * 3_600_000;
        fire('device clock step');
      });
    }
    if (has('server clock step')) {
      some(1, () => {
        // Never further from the first time than a store takes floors for.
        const off = random.pick([-25, -0.02, 0.02, 1]) * 3_600_000;
        runtime.stepClock(off - serverOffMs);
        serverOffMs = off;
        fire('server clock step');
      });
    }
    if (has('list change'))
      some(1, () => {
        const owner = someone();
        void changeList(owner, server, { seed: plan.seed, nowMs: runtime.clock.now(), listings: o.listings }).then(
          (devices) => {
            if (devices === undefined) return;
            fire('list change');
            o.trace.line(`${owner.name} has ${devices} devices`);
          },
        );
      });
    if (has('incarnation change')) {
      some(1, () => {
        fire('incarnation change');
        void restart({ restored: server.snapshot(), told: true });
      });
    }
    if (has('store lost')) {
      some(1, () => {
        fire('store lost');
        void restart('lost');
      });
    }
    if (plan.lie === 'store restored in secret') {
      at(within(0.4), () => (backup = server.snapshot()));
      at(Math.floor(plan.phaseMs * 0.4) + within(0.6), () => {
        if (!backup) return;
        fire('store restored in secret');
        // Of the directory nothing is forgotten: generations that went back would be told as a clone.
        void restart({ restored: withDirectory(backup, server.snapshot().state.directory), told: false });
      });
    }
    if (has('store restored')) {
      at(within(0.4), () => (backup = server.snapshot()));
      at(Math.floor(plan.phaseMs * 0.4) + within(0.6), () => {
        if (!backup) return;
        fire('store restored');
        // The newest lists, and the keys of devices that came since, are kept: nobody publishes them again yet.
        const { lists, prekeys } = server.snapshot().state.directory;
        const before = backup.state.directory;
        const kept = { ...before, lists, prekeys: new Map([...prekeys, ...before.prekeys]) };
        void restart({ restored: withDirectory(backup, kept), told: true });
      });
    }
    if (has('expiry')) {
      at(within(0.3), () => {
        const device = someone();
        device.link.weather.offline = true;
        device.link.cut();
        at(expiryMs + random.between(5_000, 30_000), () => (device.link.weather.offline = false));
      });
    }
    if (has('quota')) {
      at(within(0.3), () => {
        const device = someone();
        device.link.weather.offline = true;
        device.link.cut();
        for (let count = 12; count > 0; count -= 1)
          speak('flood', random.pick(people.filter((one) => one !== device)), device);
        at(random.between(20_000, 40_000), () => (device.link.weather.offline = false));
      });
    }
  }

  return { begin };
}

function withDirectory({ state, answered }: Backup, directory: Backup['state']['directory']): Backup {
  return { state: { ...state, directory }, answered };
}
