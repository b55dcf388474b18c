import { setTimeout } from 'node:timers/promises';
import { BareDevice, WaxwingDevice } from './device.ts';
import type { Figures } from './measure.ts';
import { createPeople } from './people.ts';
import { startBare, startWaxwing, type Kind, type Server } from './process.ts';

const DIALLING_AT_ONCE = 64;
/** Connections made before memory is first read: what a server grows by once is not theirs. */
const FIRST = 200;
/** So long a server rests before its memory is read: what connecting left behind as garbage goes when there is time. */
const REST_MS = 12_000;
const WATCH_MS = 4_000;

/** Connections that have authenticated and say nothing: what each costs, and how fast they come. */
export async function idleConnections(
  kind: Kind,
  { connections, ...o }: { readonly connections: number; readonly profiles?: string },
): Promise<Figures> {
  const people = kind === 'waxwing' ? await createPeople(connections + FIRST) : undefined;
  const server = people ? await startWaxwing(people.folder, o) : await startBare();
  const ends: (() => void)[] = [];
  const dial = async (id: number): Promise<void> => {
    const as = people?.devices[id];
    const device = as ? new WaxwingDevice(server.url, id + 1, as) : new BareDevice(server.url, id + 1);
    ends.push(() => device.end());
    await ('drained' in device ? Promise.all([device.ready, device.drained]) : device.open);
  };
  try {
    await dialAll(0, FIRST, dial);
    await setTimeout(REST_MS);
    const before = memory(server);
    const [beganMs, cpuUs] = [performance.now(), server.cpuUs()];
    await dialAll(FIRST, FIRST + connections, dial);
    const tookMs = performance.now() - beganMs;
    const connectUs = (server.cpuUs() - cpuUs) / connections;
    await setTimeout(REST_MS);
    const idleFrom = server.cpuUs();
    await setTimeout(WATCH_MS);
    return {
      connectsPerSecond: (connections * 1_000) / tookMs,
      connectCpuUs: connectUs,
      kibEach: (memory(server) - before) / connections,
      idleBusy: (server.cpuUs() - idleFrom) / (WATCH_MS * 1_000),
    };
  } finally {
    for (const end of ends) end();
    await server.end();
    people?.remove();
  }
}

function memory(server: Server): number {
  return server.pssKib();
}

async function dialAll(from: number, to: number, dial: (id: number) => Promise<void>): Promise<void> {
  let next = from;
  const dialling = Array.from({ length: DIALLING_AT_ONCE }, async () => {
    while (next < to) await dial(next++);
  });
  await Promise.all(dialling);
}
