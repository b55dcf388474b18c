import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits, systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage, StoreFullError } from '@waxwing/storage';
import { afterAll, afterEach, beforeEach, it } from 'vitest';
import { createManualRuntime } from '../kit/src/manual-runtime.ts';
import { endProcesses, RunningProcess } from '../support/processes.ts';
import type { FullLine } from './full-disk-plan.ts';
import { accepted, accountNumber, firstList, keyOf, recipient, directing, sending } from './people.ts';
import { ackUpTo, numbersIn, readAll } from './reading.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waxwing-full-'));
});
afterEach(() => rmSync(root, { recursive: true }));
afterAll(endProcesses);

const [ann, bob] = [1, 2].map((n) => ({ account: accountNumber(n), list: firstList(accountNumber(n)) }));
const text = 'x'.repeat(4_000);

/** Sets the size that files of another process may have. */
const setter = 'prlimit';

// "Full disk at the relay: submits are refused as retryable, nothing accepted is lost, service resumes when there is room."
it.skipIf(process.platform !== 'linux')(
  'a disk that fails to write refuses submits, loses nothing accepted, and serves again by itself',
  async () => {
    const script = fileURLToPath(new URL('./full-disk-child.ts', import.meta.url));
    const folder = join(root, 'store');
    const child = new RunningProcess(script, [folder]);
    const lines = () => child.lines.map((line) => JSON.parse(line) as FullLine);
    const ready = JSON.parse(await child.line((line) => line.includes('"ready"'))) as FullLine;
    assert.ok(ready.said === 'ready');
    const setFileSize = (soft: string) =>
      execFileSync(setter, ['--pid', String(ready.pid), `--fsize=${soft}:unlimited`]);
    setFileSize(String(2_000_000));
    child.write('go');
    await child.line((line) => line.includes('"full"'));
    setFileSize('unlimited');
    await child.line((line) => line.includes('"done"'));
    assert.deepEqual(await child.exit(), { code: 0, signal: null });

    const told = lines().flatMap((line) => (line.said === 'accepted' ? [line] : []));
    const full = lines().find((line) => line.said === 'full');
    const before = lines().findIndex((line) => line.said === 'full') - 1;
    assert.deepEqual(full, { said: 'full', entries: before, known: true, check: 'refuses' });
    assert.deepEqual(
      told.map(({ number }) => number),
      told.map((_, i) => i + 1),
    );
    assert.ok(told.every(({ duplicate }) => !duplicate));
    const storage = await openSqliteStorage({ directory: folder, runtime: systemRuntime, thread: 'calling' });
    assert.deepEqual(
      await numbersIn(storage, keyOf(bob!)),
      told.slice(1).map(({ number }) => number),
    );
    await storage.close();
  },
  60_000,
);

it('a store at its size limit refuses submits, and takes them again when mail was acked or expired', async () => {
  const runtime = createManualRuntime();
  const maxBytes = 1_500_000;
  const directory = join(root, 'store');
  const storage = await openSqliteStorage({ directory, runtime, maxBytes, thread: 'calling' });
  for (const { list } of [ann!, bob!]) await storage.directory.register({ list, prekeys: {} });
  const { mailboxes } = storage;
  let n = 1;
  /** Eight at a time, and one at a time when these are too many, until it is refused. Numbers come in the order of n. */
  const fill = async (together = [0, 1, 2, 3, 4, 5, 6, 7]): Promise<number> => {
    const from = n;
    for (;;) {
      const oldest = n;
      const results = await Promise.all(
        together.map((ahead) => mailboxes.submit(sending({ from: ann!, to: [bob!], n: oldest + ahead, oldest, text }))),
      );
      for (const result of results) {
        if (result.type !== 'accepted') {
          assert.deepEqual(result, { type: 'refused', code: 'store_full' });
          const last = n - from;
          return together.length > 1 ? last + (await fill([0])) : last;
        }
        assert.deepEqual([result.duplicate, result.sequence.number], [false, n]);
        n += 1;
      }
    }
  };
  /** Lets what waits be written to tables, and what is past its time be deleted. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) {
      runtime.advance(1_000);
      await mailboxes.open(keyOf(bob!));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  const first = await fill();
  assert.ok(first > 50);
  await assert.rejects(mailboxes.check(), StoreFullError);
  assert.deepEqual(await mailboxes.submitDirect(directing({ from: ann!, recipients: [recipient(bob!, text)] })), {
    type: 'refused',
    code: 'store_full',
  });
  await settle();
  await fill();
  assert.ok(statSync(join(directory, 'relay.db')).size <= maxBytes);
  assert.equal((await readAll(storage, keyOf(bob!))).length, n - 1);
  assert.equal((await accepted(storage, sending({ from: ann!, to: [bob!], n: n - 1, text }))).duplicate, true);

  await ackUpTo(storage, keyOf(bob!), n - 1);
  await settle();
  await mailboxes.check();
  assert.ok((await fill()) > 50);

  runtime.advance(limits.mailboxTtlMs);
  await settle();
  assert.ok((await fill()) > 50);
  await storage.close();
  assert.ok(statSync(join(directory, 'relay.db')).size <= maxBytes);
}, 60_000);
