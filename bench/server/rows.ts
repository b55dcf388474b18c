import { hasDisks } from '../power-disk.ts';
import { conversation } from './conversation.ts';
import { fanOut } from './fan-out.ts';
import { idleConnections } from './idle.ts';
import { median, type Figures } from './measure.ts';
import { drainMailbox, offlinePowerCut, offlineStore } from './offline.ts';
import { onlinePairs } from './online.ts';
import { openLoop } from './open-loop.ts';

export type RunOptions = { readonly seconds: number; readonly profiles?: string };

/** A figure that must hold, over the medians of all runs. `least` or `most` is the floor; `aim` is what is hoped for. */
export type Floor = {
  readonly name: string;
  readonly value: number;
  readonly least?: number;
  readonly most?: number;
  readonly aim?: number;
};

export type Row = {
  readonly title: string;
  /** Why this machine cannot run it, if so. */
  readonly lacks?: () => string | undefined;
  /** A run of the baseline beside each; a row without one is absolute. */
  readonly bare?: (o: RunOptions) => Promise<Figures>;
  readonly waxwing: (o: RunOptions) => Promise<Figures>;
  readonly floors: (waxwing: Medians, bare: Medians) => readonly Floor[];
};

/** The medians of a row's figures; NaN for a figure that there is not. */
export type Medians = (name: string) => number;

export function mediansOf(runs: readonly Figures[]): Medians {
  return (name) => median(runs.map((figures) => figures[name] ?? NaN));
}

const pairs = (window: number) => ({
  bare: (o: RunOptions) => onlinePairs('bare', { ...o, window }),
  waxwing: (o: RunOptions) => onlinePairs('waxwing', { ...o, window }),
});

const rate = (w: Medians, b: Medians, least: number, aim?: number): Floor => ({
  name: 'rate over bare',
  value: w('perSecond') / b('perSecond'),
  least,
  ...(aim !== undefined && { aim }),
});
const cpu = (w: Medians, b: Medians, most: number): Floor => ({
  name: 'CPU per message over bare',
  value: w('cpuUs') / b('cpuUs'),
  most,
});

const CONNECTIONS = 5_000;

export const rows: Readonly<Record<string, Row>> = {
  'pairs-1': {
    title: '100 pairs online, 1 KiB, window 1',
    ...pairs(1),
    floors: (w, b) => [rate(w, b, 0.22, 0.33), cpu(w, b, 5)],
  },
  'pairs-16': {
    title: '100 pairs online, 1 KiB, window 16',
    ...pairs(16),
    floors: (w, b) => [rate(w, b, 0.28, 0.45), cpu(w, b, 3)],
  },
  'fan-out': {
    title: '500 recipients of one shared ciphertext',
    bare: (o) => fanOut('bare', o),
    waxwing: (o) => fanOut('waxwing', o),
    floors: (w, b) => [rate(w, b, 0.35, 0.45)],
  },
  offline: {
    title: 'stored for devices that are away, kill -9, restart, drained; bare: window 16',
    bare: pairs(16).bare,
    waxwing: offlineStore,
    floors: (w, b) => [
      { name: 'store rate over bare', value: w('perSecond') / b('perSecond'), least: 0.25, aim: 0.4 },
      { name: 'drain rate over bare', value: w('drainPerSecond') / b('perSecond'), least: 0.25, aim: 0.45 },
      { name: 'lost', value: w('lost'), most: 0 },
    ],
  },
  'power-cut': {
    title: 'the same on a disk whose power goes with the kill: what was not synced is lost',
    lacks: () => (hasDisks() ? undefined : 'no root, or no loop devices: no disk of its own'),
    waxwing: offlinePowerCut,
    floors: (w) => [{ name: 'lost', value: w('lost'), most: 0 }],
  },
  mailbox: {
    title: 'one mailbox of 10,000 envelopes, drained; bare: window 16',
    bare: pairs(16).bare,
    waxwing: drainMailbox,
    floors: (w) => [{ name: 'lost', value: w('lost'), most: 0 }],
  },
  idle: {
    title: '5,000 connections, authenticated and idle',
    bare: () => idleConnections('bare', { connections: CONNECTIONS }),
    waxwing: (o) => idleConnections('waxwing', { ...o, connections: CONNECTIONS }),
    floors: (w, b) => [
      { name: 'KiB each', value: w('kibEach'), most: 18, aim: 12 },
      { name: 'connects over bare', value: w('connectsPerSecond') / b('connectsPerSecond'), least: 0.5 },
    ],
  },
  conversation: {
    title: '100 conversations: a message and its two receipts, direct',
    bare: (o) => conversation('bare', o),
    waxwing: (o) => conversation('waxwing', o),
    floors: () => [],
  },
  'open-loop': {
    title: 'open loop at half the highest rate of each',
    bare: (o) => openLoop('bare', o),
    waxwing: (o) => openLoop('waxwing', o),
    floors: (w) => [
      { name: 'p99, ms', value: w('p99Ms'), most: 20 },
      { name: 'event-loop delay p99, ms', value: w('loopP99Ms'), most: 20 },
    ],
  },
  'slow-sync': {
    title: 'open loop at half the highest rate, each fsync and fdatasync 10 ms slower',
    waxwing: (o) => openLoop('waxwing', { ...o, slowSyncMs: 10 }),
    floors: (w) => [{ name: 'event-loop delay p99, ms', value: w('loopP99Ms'), most: 20 }],
  },
};
