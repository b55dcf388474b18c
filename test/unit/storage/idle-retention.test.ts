import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStorage } from '@waxwing/storage';
import { it } from 'vitest';
import { accepted, enrol, sending } from '../../contract/people.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

const HOURS = 30;

// Between the calls that came after it and none: what waits in the log, and what is in the tables.
for (const calls of [0, 40]) {
  it(`ciphertext is off the disk after ${HOURS} hours of a server that nobody calls any more, ${calls} calls after it`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'waxwing-idle-'));
    const folder = join(root, 'store');
    try {
      const runtime = createManualRuntime();
      const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      };
      const storage = await openSqliteStorage({ directory: folder, runtime, thread: 'calling' });
      const [ann, bob] = [await enrol({ storage }, 1), await enrol({ storage }, 2)];
      const canary = `canary-${'i'.repeat(2_000)}`;
      await accepted(storage, sending({ from: ann, to: [bob], text: canary }));
      for (let call = 0; call < calls; call += 1) {
        runtime.advance(30_000);
        await storage.mailboxes.heads([]);
        await settle();
      }
      for (let minute = 0; minute < HOURS * 60; minute += 1) {
        runtime.advance(60_000);
        await settle();
      }
      const holding = readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(canary));
      assert.deepEqual(holding, []);
      await storage.close();
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}
