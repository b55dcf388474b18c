import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits as table, parseEra } from '@waxwing/protocol';
import {
  createMemoryStorage,
  openSqliteStorage,
  type DeviceKey,
  type Storage,
  type StoreLimits,
} from '@waxwing/storage';
import fc from 'fast-check';
import { it } from 'vitest';
import { createManualRuntime, type ManualRuntime } from '../kit/src/manual-runtime.ts';
import type { World } from './contract.ts';
import { directing, enrol, handleNamed, keyOf, listed, recipient, relist, sending, type Person } from './people.ts';

/** Small, so that everything that has a limit meets it. */
const limits: Partial<StoreLimits> = { mailboxMaxEntries: 7, marksPerMailbox: 4, resultsRemembered: 3 };

const person = fc.nat(2);
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('submit' as const),
      from: person,
      device: fc.constantFrom(1, 2),
      to: fc.subarray([0, 1, 2]),
      handle: fc.nat(1),
      n: fc.integer({ min: -2, max: 2 }),
      attempt: fc.integer({ min: 1, max: 2 }),
      change: fc.boolean(),
      base: fc.option(fc.nat(4), { nil: undefined }),
      floor: fc.constantFrom(undefined, undefined, -1, 1),
      size: fc.constantFrom(10, 1_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('direct' as const), from: person, to: person, id: fc.nat(3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('ack' as const),
      who: person,
      device: fc.constantFrom(1, 2),
      back: fc.nat(3),
      foreign: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('look' as const), who: person, device: fc.constantFrom(1, 2) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('advance' as const),
      ms: fc.constantFrom(
        1,
        600,
        600,
        60_000,
        table.mailboxTtlMs - 1,
        table.mailboxTtlMs,
        table.directDedupeMs,
        table.counterTtlMs,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('reopen' as const),
      restored: fc.constantFrom(false, false, true),
      crash: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('drop' as const), who: person, device: fc.constantFrom(1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('relist' as const), who: person, second: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The memory storage and the embedded one, each on its own virtual clock, given the same. */
type Twin = {
  readonly runtime: ManualRuntime;
  readonly storage: () => Storage;
  reopen(restored: boolean, crash: boolean): Promise<void>;
  end(): Promise<void>;
};

function memoryTwin(): Twin {
  const runtime = createManualRuntime();
  let storage = createMemoryStorage({ runtime, limits });
  return {
    runtime,
    storage: () => storage,
    async reopen(restored) {
      storage = createMemoryStorage({ runtime, limits, from: storage.snapshot(), restored });
    },
    end: () => storage.close(),
  };
}

async function sqliteTwin(): Promise<Twin> {
  const runtime = createManualRuntime();
  const root = mkdtempSync(join(tmpdir(), 'waxwing-twin-'));
  let count = 0;
  let directory = join(root, '0');
  const open = (restored = false) => openSqliteStorage({ directory, runtime, limits, restored, thread: 'calling' });
  let storage = await open();
  return {
    runtime,
    storage: () => storage,
    async reopen(restored, crash) {
      const before = storage;
      if (crash) {
        // What a process that is killed now leaves behind: the files as they are.
        const next = join(root, String(++count));
        cpSync(directory, next, { recursive: true });
        directory = next;
      }
      await before.close();
      storage = await open(restored);
    },
    async end() {
      await storage.close();
      rmSync(root, { recursive: true });
    },
  };
}

/** Plays the operations on a storage and tells everything that can be observed. */
async function play(twin: Twin, operations: readonly Operation[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  const world = {
    runtime: twin.runtime,
    get storage() {
      return twin.storage();
    },
  } as World;
  const people: Person[] = [await enrol(world, 1, [1, 2]), await enrol(world, 2, [1, 2]), await enrol(world, 3, [1])];
  const nOf = new Map<string, number>();
  const key = (who: number, device: number): DeviceKey => {
    const has = people[who]!.list.list.devices.some((each) => each.device === device);
    return keyOf(people[who]!, has ? device : 1);
  };
  let salt = 0;
  for (const op of operations) {
    const { mailboxes } = twin.storage();
    switch (op.type) {
      case 'submit': {
        const from = people[op.from]!;
        const sender = key(op.from, op.device);
        const handle = handleNamed(`h${op.handle}`);
        const text = `${handle}.${sender.device}.${sender.addedIn}`;
        const n = Math.max(1, (nOf.get(`${from.account}.${text}`) ?? 0) + op.n);
        const [head] = await mailboxes.heads([handle]);
        const floor =
          op.floor !== undefined && head?.last
            ? { era: parseEra(head.last.era), number: Math.max(1, head.last.number + op.floor) }
            : undefined;
        const to = op.to.filter((other) => other !== op.from).map((other) => people[other]!);
        const result = await mailboxes.submit(
          sending({
            from,
            device: sender.device,
            to,
            handle,
            n,
            oldest: n,
            attempt: op.attempt,
            change: op.change,
            text: `${n} ${op.attempt} ${'x'.repeat(op.size)}`,
            ...(op.base !== undefined && { changeBase: op.base }),
            ...(floor && { floor }),
          }),
        );
        if (result.type === 'accepted') nOf.set(`${from.account}.${text}`, n);
        seen.push(result);
        break;
      }
      case 'direct': {
        const recipients = [recipient(people[op.to]!, `d${op.id}`)];
        seen.push(await mailboxes.submitDirect(directing({ from: people[op.from]!, recipients, id: op.id })));
        break;
      }
      case 'ack': {
        const device = key(op.who, op.device);
        const { incarnation } = await mailboxes.open(device);
        const { entries } = await mailboxes.read(device, 0, { entries: 100, bytes: 1e9 });
        const number = Math.max(0, (entries.at(-1)?.number ?? 2) - op.back);
        const { type } = await mailboxes.ack(device, { incarnation: op.foreign ? 'AAAAAAAAAAA' : incarnation, number });
        seen.push(type);
        break;
      }
      case 'look':
        seen.push(await look(twin.storage(), key(op.who, op.device)));
        break;
      case 'advance':
        // In parts, so that what is written bit by bit has its turns.
        for (const part of [op.ms / 2, op.ms / 2]) {
          twin.runtime.advance(part);
          await twin.storage().mailboxes.heads([]);
        }
        break;
      case 'reopen':
        // An ack may reach the disk later than its answer, but not later than the next submit.
        await mailboxes.submitDirect(
          directing({ from: people[0]!, recipients: [recipient(people[2]!, 'r')], id: 1_000 + salt++ }),
        );
        await twin.reopen(op.restored, op.crash);
        break;
      case 'drop':
        await mailboxes.drop(key(op.who, op.device));
        break;
      case 'relist': {
        const version = people[op.who]!.list.list.version + 1;
        const second = op.second ? [listed(2, version, ++salt)] : [];
        people[op.who] = await relist(world, people[op.who]!, [listed(1, 1), ...second]);
      }
    }
  }
  for (const { list } of people) {
    for (const { device } of list.list.devices) {
      seen.push(await look(twin.storage(), keyOf({ account: list.list.account, list }, device)));
    }
  }
  const handles = [handleNamed('h0'), handleNamed('h1')];
  const heads = await twin.storage().mailboxes.heads(handles);
  seen.push(heads);
  for (const { handle, last } of heads) {
    const numbers = [1, 2, 3, 4, 5, 6];
    if (last) seen.push(await twin.storage().mailboxes.entries(handle, last.era, numbers, keyOf(people[0]!)));
  }
  return seen;
}

async function look(storage: Storage, device: DeviceKey): Promise<unknown> {
  const { after, restarted, marks } = await storage.mailboxes.open(device);
  const page = await storage.mailboxes.read(device, 0, { entries: 100, bytes: 1e9 });
  const entries = page.entries.map(({ number, envelope }) => [number, Buffer.from(envelope).toString('base64')]);
  return { after, restarted, marks, behind: page.marks, entries };
}

it('the embedded storage shows what the memory storage shows, through reopening and kills', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (operations) => {
      const [memory, sqlite] = [memoryTwin(), await sqliteTwin()];
      try {
        const [expected, found] = [await play(memory, operations), await play(sqlite, operations)];
        assert.deepEqual(found, expected);
      } finally {
        await Promise.all([memory.end(), sqlite.end()]);
      }
    }),
    { numRuns: Number(process.env.WAXWING_PROOF_RUNS ?? 30) },
  );
}, 600_000);
