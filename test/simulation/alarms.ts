import type { AlertRow } from '../../client-core/src/history/alerts.ts';
import { notices } from './checker.ts';
import type { SimulatedDevice } from './device.ts';

/** When each device found something that an honest server does not do, also where the same is in its history already. */
export type Alarms = {
  asked(device: SimulatedDevice, noun: string, method: string, args: readonly unknown[]): void;
  /** Whether a device found something in its conversation with another since then. */
  since(device: SimulatedDevice, peer: SimulatedDevice, elapsedMs: number): boolean;
};

export function createAlarms(elapsedMs: () => number): Alarms {
  const latest = new Map<string, number>();
  return {
    asked(device, noun, method, args) {
      if (noun !== 'alerts' || method !== 'note') return;
      const [conversation, { what }] = args as [number, AlertRow];
      const peer = device.store?.conversations.byId(conversation)?.peer;
      if (peer !== undefined && !notices.has(what)) latest.set(`${device.name} ${peer}`, elapsedMs());
    },
    since: (device, peer, fromMs) => (latest.get(`${device.name} ${peer.account}`) ?? -1) >= fromMs,
  };
}
