import type { Cut, Direction, LinkQuality } from '../../test/support/tcp-proxy.ts';
import type { Person } from './person.ts';
import { strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause, type World } from './world.ts';

/** How much faster the timers of both ends run where a half-open connection is waited for. */
const PACE = 10;
/** A half-open connection is found by then, at the pace of the system. */
const HALF_OPEN_MS = 90_000;

/** One of the two, or both. */
function some(world: World): readonly Person[] {
  const [alice, bob] = world.people;
  return [[alice], [bob], [alice, bob]][world.below(3)] ?? [];
}

const both: readonly Direction[] = ['up', 'down'];

/** Nothing passes for up to two seconds; what was held then goes on. Seen: bytes came and were held. */
function partition(directions: readonly Direction[]): Strike {
  return async (world) => {
    const cut = some(world);
    const held = (): number =>
      cut.reduce((sum, { proxy }) => sum + proxy.counts.stalled.up + proxy.counts.stalled.down, 0);
    const before = held();
    for (const { proxy } of cut) proxy.stall(...directions);
    world.talk();
    await pause(300 + world.below(1_700));
    for (const { proxy } of cut) proxy.resume();
    return held() > before;
  };
}

/** Connections end and none can be made for up to two seconds. Seen: one was refused, or was made again after. */
const refused: Strike = async (world) => {
  const cut = some(world);
  const before = cut.map(({ states }) => states.length);
  for (const { proxy } of cut) {
    proxy.refuse();
    proxy.reset();
  }
  world.talk();
  await pause(300 + world.below(1_700));
  for (const { proxy } of cut) proxy.accept();
  return cut.every(({ states }, index) => states.slice(before[index]).includes('offline'));
};

/** Packets go nowhere, for longer than heartbeats may. Seen: the device gave the connection up, in time. */
function halfOpen(directions: readonly Direction[], pace: number): Strike {
  return async (world) => {
    const cut = some(world);
    const states = cut.map((person) => person.states.length);
    for (const { proxy } of cut) proxy.stall(...directions);
    const found = await Promise.all(
      cut.map((person, index) =>
        person.until(() => person.states.slice(states[index]).includes('offline'), HALF_OPEN_MS / pace + 5_000),
      ),
    );
    for (const { proxy } of cut) proxy.resume();
    return found.every((isFound) => isFound);
  };
}

/** F7, with timers that run faster at both ends: 75 s of silence are 7.5 s. */
export function partitions(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F7',
    how: `proxy between client and relay; timers of both ends ${PACE} times as fast`,
    relay: { pace: PACE },
    pace: PACE,
    kinds: {
      both: partition(both),
      up: partition(['up']),
      down: partition(['down']),
      refused,
      halfOpen: halfOpen(both, PACE),
      halfOpenDown: halfOpen(['down'], PACE),
    },
  });
}

/** F7 at the pace of the system, on the shipped relay: a half-open connection is found within 90 s. */
export function slowPartitions(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F7-real',
    how: 'proxy between client and relay; the timers of the system, so slow that it runs a twenty-fifth of the others',
    kinds: { halfOpen: halfOpen(both, 1), halfOpenDown: halfOpen(['down'], 1) },
  });
}

/** F7 with clients that wait for ever for a sign of life: none may find a connection half-open. */
export function deafPartitions({ seed }: Size): Promise<FaultReport> {
  return strikes({
    ...{ runs: 1, seed },
    fault: 'F7-deaf',
    how: 'packets go nowhere, and clients wait for ever for a sign of life',
    relay: { pace: PACE },
    pace: PACE,
    deaf: true,
    once: true,
    kinds: { halfOpen: halfOpen(both, PACE) },
  });
}

/** Seen: a piece was cut, a part of it written. */
function cut(direction: Direction, how: Cut): Strike {
  return async (world) => {
    const some_ = some(world);
    const cuts = (): number => some_.reduce((sum, { proxy }) => sum + proxy.counts.cutInside, 0);
    const before = cuts();
    for (const { proxy } of some_) proxy.cutAfter(direction, 1 + world.below(2_500), how);
    world.talk();
    await pause(400 + world.below(400));
    return cuts() > before;
  };
}

export function cuts(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F9',
    how: 'proxy cuts after so many bytes',
    kinds: {
      upEnd: cut('up', 'end'),
      upReset: cut('up', 'reset'),
      downEnd: cut('down', 'end'),
      downReset: cut('down', 'reset'),
      halfClosedUp: halfClosed('up'),
      halfClosedDown: halfClosed('down'),
    },
  });
}

/** One direction ends in order, the other stays. Seen: the connection was made anew. */
function halfClosed(direction: Direction): Strike {
  return async (world) => {
    const some_ = some(world);
    const before = some_.map(({ proxy }) => proxy.counts.connections);
    for (const { proxy } of some_) proxy.halfClose(direction);
    const again = some_.map((person, index) =>
      person.until(() => person.proxy.counts.connections > (before[index] ?? 0), 30_000),
    );
    return (await Promise.all(again)).every((isAgain) => isAgain);
  };
}

/** Seen: pieces waited. */
function quality(make: (world: World) => LinkQuality): Strike {
  return async (world) => {
    const waited = (): number => world.people.reduce((sum, { proxy }) => sum + proxy.counts.delayed, 0);
    const before = waited();
    for (const { proxy } of world.people) proxy.setQuality(make(world));
    world.talk();
    if (world.below(2) === 0) for (const { proxy } of world.people) proxy.reset();
    await pause(1_000 + world.below(1_000));
    const isSeen = waited() > before;
    for (const { proxy } of world.people) proxy.setQuality({});
    return isSeen;
  };
}

export function slowLinks(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F10',
    how: 'proxy: delay to 500 ms and jitter, 32-256 kbit/s, pieces of one byte',
    kinds: {
      delay: quality((world) => ({ delayMs: world.below(500), jitterMs: world.below(300) })),
      bandwidth: quality((world) => ({ bytesPerSecond: 4_000 + world.below(28_000) })),
      singleBytes: quality(() => ({ chunkBytes: 1, delayMs: 1 })),
      all: quality((world) => ({ chunkBytes: 1 + world.below(50), bytesPerSecond: 20_000, jitterMs: 50 })),
    },
  });
}
