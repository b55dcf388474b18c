import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeEnvelope, systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage, type Storage } from '@waxwing/storage';
import Database from 'better-sqlite3';
import { afterAll, it } from 'vitest';
import { seededBytes } from '../kit/src/manual-runtime.ts';
import { endProcesses, RunningProcess } from '../support/processes.ts';
import { acker, cast, digestOf, directNumber, handles, roomy, type Line, type Start } from './kill-plan.ts';
import { accepted, keyOf, messageNumber, sending } from './people.ts';

/** How often the storage is killed; the full count is the proof's. */
const kills = Number(process.env.WAXWING_PROOF_KILLS ?? 3);
const seed = process.env.WAXWING_PROOF_SEED ?? '1';
const script = fileURLToPath(new URL('./store-child.ts', import.meta.url));

afterAll(endProcesses);

type Accepted = Extract<Line, { said: 'accepted' }>;

/** What the killed processes were told, over all runs. */
type Told = {
  /** By sender, handle and n. */
  readonly accepted: Map<string, Accepted>;
  readonly directs: Set<string>;
  /** Up to where the one who acks may have acked. */
  acked: number;
};

it(
  `whenever it is killed, everything that was accepted is there once, with its number (${kills} kills)`,
  async () => {
    const root = mkdtempSync(join(tmpdir(), 'waxwing-kill-'));
    const folder = join(root, 'store');
    const random = seededBytes(seed);
    const told: Told = { accepted: new Map(), directs: new Set(), acked: 0 };
    for (let kill = 0; kill < kills; kill++) {
      const start: Start = {
        folder,
        thread: kill % 2 === 0 ? 'own' : 'calling',
        seed: `${seed}.${kill}`,
        ...next(told),
      };
      const child = new RunningProcess(script, [JSON.stringify(start)]);
      await child.count(2 + (Buffer.from(random(2)).readUInt16BE() % 600));
      child.kill('SIGKILL');
      await child.exit();
      for (const line of child.lines) hear(told, line);
      checkFiles(folder, join(root, 'copy'));
      const storage = await openSqliteStorage({
        directory: folder,
        runtime: systemRuntime,
        thread: 'calling',
        limits: roomy,
      });
      try {
        await checkAll(storage, told);
      } finally {
        await storage.close();
      }
    }
    assert.ok(told.accepted.size >= kills);
    rmSync(root, { recursive: true });
  },
  30_000 + 20_000 * kills,
);

function hear(told: Told, text: string): void {
  // The last line may have been cut by the kill.
  if (!text.endsWith('}')) return;
  const line = JSON.parse(text) as Line;
  switch (line.said) {
    case 'open':
      return;
    case 'accepted': {
      const key = `${line.from}.${line.handle}.${line.n}`;
      const before = told.accepted.get(key);
      if (before) assert.deepEqual(line, before);
      told.accepted.set(key, line);
      return;
    }
    case 'direct':
      told.directs.add(`${line.from}.${line.id}`);
      return;
    case 'acking':
      told.acked = Math.max(told.acked, line.upTo);
  }
}

/** Where each sender goes on: at the first whose outcome is unknown. */
function next(told: Told): Pick<Start, 'next' | 'nextDirect'> {
  const first = (has: (n: number) => boolean): number => {
    let n = 1;
    while (has(n)) n += 1;
    return n;
  };
  const senders = [0, 1, 2].flatMap((from) => handles.map((_, handle) => `${from}.${handle}`));
  return {
    next: Object.fromEntries(senders.map((sender) => [sender, first((n) => told.accepted.has(`${sender}.${n}`))])),
    nextDirect: [0, 1, 2].map((from) => first((id) => told.directs.has(`${from}.${id}`))),
  };
}

/** The files as the kill left them, copied: looking at them must change nothing. */
function checkFiles(folder: string, copy: string): void {
  cpSync(folder, copy, { recursive: true });
  for (const name of ['relay.db', 'directory.db']) {
    const db = new Database(join(copy, name));
    assert.equal(db.pragma('integrity_check', { simple: true }), 'ok');
    db.close();
  }
  rmSync(copy, { recursive: true });
}

async function checkAll(storage: Storage, told: Told): Promise<void> {
  const people = cast();
  const found = new Map<string, Accepted>();
  const numbers = new Map<string, string>();
  for (const [who, person] of people.entries()) {
    const { entries } = await storage.mailboxes.read(keyOf(person), 0, { entries: 1e9, bytes: 1e12 });
    const first = entries[0]?.number ?? told.acked + 1;
    assert.ok(first <= (who === acker ? told.acked : 0) + 1, 'nothing went but what was acked');
    assert.deepEqual(
      entries.map(({ number }) => number),
      entries.map((_, i) => first + i),
      'positions have no gap',
    );
    const here = new Set<string>();
    for (const { envelope: bytes } of entries) {
      const envelope = decodeEnvelope(bytes);
      const from = people.findIndex(({ account }) => account === envelope.sender.account);
      const [key, place] =
        envelope.type === 'direct'
          ? [`direct ${envelope.messageId}`, '']
          : [
              `${from}.${handles.indexOf(envelope.handle)}.${envelope.n}`,
              `${handles.indexOf(envelope.handle)}.${envelope.sequence.era}.${envelope.sequence.number}`,
            ];
      assert.ok(!here.has(key), `${key} is there twice`);
      here.add(key);
      if (envelope.type === 'direct') continue;
      assert.equal(numbers.get(place) ?? key, key, 'a number belongs to one message');
      numbers.set(place, key);
      const { era, number } = envelope.sequence;
      found.set(key, { said: 'accepted', from, handle: handles.indexOf(envelope.handle), n: envelope.n, era, number });
    }
    if (who === acker) continue;
    for (const direct of told.directs) {
      const [from, id] = direct.split('.').map(Number);
      const expected = `direct ${messageNumber(directNumber(from ?? 0, id ?? 0))}`;
      assert.ok(from === who || here.has(expected), `${direct} is missing`);
    }
    for (const [key, { from }] of told.accepted) assert.ok(from === who || here.has(key), `${key} is missing`);
  }
  for (const [key, accepted] of told.accepted) assert.deepEqual(found.get(key), accepted);
  await checkCounters(storage, [...found.values()]);
}

/** Numbers are dense; what was accepted last is known, and known by its number. */
async function checkCounters(storage: Storage, found: readonly Accepted[]): Promise<void> {
  const heads = await storage.mailboxes.heads(handles);
  for (const [handle, { last }] of heads.entries()) {
    const of = found.filter((each) => each.handle === handle).sort((a, b) => a.number - b.number);
    assert.deepEqual(
      of.map(({ number }) => number),
      of.map((_, i) => i + 1),
    );
    assert.equal(last?.number ?? 0, of.length);
    for (const [from, person] of cast().entries()) {
      const mine = of.filter((each) => each.from === from);
      assert.deepEqual(
        mine.map(({ n }) => n),
        mine.map((_, i) => i + 1),
        'in the order of n',
      );
      const newest = mine.at(-1);
      if (newest === undefined) continue;
      const digest = digestOf(from, handle, newest.n);
      const submit = sending({ from: person, handle: handles[handle]!, n: newest.n, digest });
      const { era, number } = newest;
      const again = await accepted(storage, submit);
      assert.deepEqual([again.duplicate, again.sequence], [true, { era, number }]);
    }
  }
}
