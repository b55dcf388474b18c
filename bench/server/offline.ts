import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/cli.ts';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { PowerDisk } from '../power-disk.ts';
import { stretch, warmUp, until, type Figures } from './measure.ts';
import { WaxwingDevice } from './device.ts';
import { WaxwingPair } from './pair.ts';
import { createPeople, inPairs } from './people.ts';
import { startWaxwing } from './process.ts';

const SENDERS = 100;
const RECEIVERS = 50;
const WINDOW = 16;
/** Less than a quarter of a mailbox, which is what one sender may fill. */
const PER_SENDER_MAX = 4_500;

type Offline = { readonly seconds: number; readonly profiles?: string };

/**
 * 100 devices write to 50 that are away; the server is killed with -9, started again, and the 50 come for their mail.
 * `lost`: what was reported sent and did not come.
 */
export async function offlineStore(o: Offline): Promise<Figures> {
  const people = await createPeople(SENDERS + RECEIVERS);
  try {
    return await storeAndDrain(people.devices, people.folder, o);
  } finally {
    people.remove();
  }
}

const DISK_BYTES = 2 * 2 ** 30;

/** The same on a disk of its own, whose power goes when the server is killed. */
export async function offlinePowerCut(o: Offline): Promise<Figures> {
  const people = await createPeople(SENDERS + RECEIVERS);
  const { path, remove } = temporaryFolder('power-bench');
  try {
    const disk = new PowerDisk(path, DISK_BYTES);
    try {
      const folder = join(disk.folder, 'relay');
      cpSync(people.folder, folder, { recursive: true });
      disk.sync();
      return await storeAndDrain(people.devices, folder, { ...o, cut: () => disk.cut() });
    } finally {
      disk.unmount();
    }
  } finally {
    remove();
    people.remove();
  }
}

async function storeAndDrain(
  devices: readonly TestDevice[],
  folder: string,
  o: Offline & { readonly cut?: () => void },
): Promise<Figures> {
  const senders = devices.slice(0, SENDERS);
  const receivers = devices.slice(SENDERS);
  const twice = inPairs([...senders, ...receivers, ...receivers]);
  const server = await startWaxwing(folder);
  const pairs = twice.map((two, index) => new WaxwingPair(server.url, index, two, false));
  await Promise.all(pairs.map(({ ready }) => ready));
  for (const pair of pairs) pair.keepInFlight(WINDOW);
  const answered = (): number => pairs.reduce((sum, pair) => sum + pair.answered, 0);
  await warmUp(answered);
  const store = await stretch(server, answered, o.seconds);
  if (pairs.some((pair) => pair.sent > PER_SENDER_MAX)) throw new Error('a sender has filled its part of a mailbox');
  await server.end('SIGKILL');
  o.cut?.();
  await Promise.all(pairs.map((pair) => pair.end()));
  const safe = answered();

  const again = await startWaxwing(folder, o);
  const [beganMs, cpuUs] = [performance.now(), again.cpuUs()];
  const readers = receivers.map((as, index) => new WaxwingDevice(again.url, index + 1, as));
  await Promise.all(readers.map(({ drained }) => drained));
  const came = readers.reduce((sum, { delivered }) => sum + delivered, 0);
  const tookMs = performance.now() - beganMs;
  const drainCpuUs = (again.cpuUs() - cpuUs) / came;
  for (const reader of readers) reader.end();
  await Promise.all(readers.map(({ ended }) => ended));
  await again.end();
  const sent = pairs.reduce((sum, pair) => sum + pair.sent, 0);
  if (came > sent) throw new Error(`${came} came of ${sent}`);
  return {
    perSecond: store.perSecond ?? NaN,
    cpuUs: store.cpuUs ?? NaN,
    drainPerSecond: (came * 1_000) / tookMs,
    drainCpuUs,
    stored: safe,
    lost: Math.max(0, safe - came),
  };
}

const FULL_ENTRIES = 10_000;
const FULL_SENDERS = 4;

/** One device comes for a mailbox of 10,000 envelopes. */
export async function drainMailbox(o: { readonly profiles?: string }): Promise<Figures> {
  const people = await createPeople(FULL_SENDERS + 1);
  try {
    const [reader, ...senders] = people.devices;
    if (!reader) throw new Error('nobody reads');
    const filling = await startWaxwing(people.folder);
    const pairs = senders.map((from, index) => new WaxwingPair(filling.url, index, [from, reader], false));
    await Promise.all(pairs.map(({ ready }) => ready));
    for (const pair of pairs) pair.keepInFlight(WINDOW);
    const each = FULL_ENTRIES / FULL_SENDERS;
    await until(() => {
      for (const pair of pairs) if (pair.sent >= each - WINDOW) pair.keepInFlight(0);
      return pairs.every((pair) => pair.sent === pair.answered && pair.sent >= each - WINDOW);
    }, 'a full mailbox');
    for (const pair of pairs) while (pair.sent < each) pair.send(0);
    await until(() => pairs.every((pair) => pair.sent === pair.answered), 'a full mailbox');
    const sent = pairs.reduce((sum, pair) => sum + pair.sent, 0);
    await Promise.all(pairs.map((pair) => pair.end()));
    await filling.end();

    const server = await startWaxwing(people.folder, o);
    const [beganMs, cpuUs] = [performance.now(), server.cpuUs()];
    const device = new WaxwingDevice(server.url, 1, reader);
    await device.drained;
    const tookMs = performance.now() - beganMs;
    const figures = {
      perSecond: (device.delivered * 1_000) / tookMs,
      cpuUs: (server.cpuUs() - cpuUs) / device.delivered,
      entries: device.delivered,
      lost: Math.max(0, sent - device.delivered),
    };
    device.end();
    await device.ended;
    await server.end();
    return figures;
  } finally {
    people.remove();
  }
}
