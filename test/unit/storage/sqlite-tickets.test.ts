import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '@waxwing/protocol';
import { openSqliteStorage } from '@waxwing/storage';
import Database from 'better-sqlite3';
import { it } from 'vitest';
import { accountNumber, firstList, somePrekeys } from '../../contract/people.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';

/** More than one sweep takes. */
const TICKETS = 300;
const LASTS_MS = 600_000;

it('marks of used tickets leave the file when their tickets are too old, and no sooner', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-used-'));
  const runtime = createManualRuntime();
  const storage = await openSqliteStorage({ directory: folder, runtime, thread: 'calling' });
  const keepUntilMs = runtime.clock.now() + LASTS_MS;
  const marks = (): number => {
    const db = new Database(join(folder, 'directory.db'), { readonly: true });
    const count = Number(db.prepare('SELECT count(*) FROM used_ticket').pluck().get());
    db.close();
    return count;
  };
  const settle = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 60_000) {
      runtime.advance(60_000);
      await storage.mailboxes.heads([]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  try {
    const accounts = Array.from({ length: TICKETS }, (_, index) => accountNumber(index + 1));
    const answers = await Promise.all(
      accounts.map((account, index) =>
        storage.directory.register({
          list: firstList(account),
          prekeys: { ...somePrekeys, oneTimeKeys: [], oneTimeKyberKeys: [] },
          ticket: { hash: sha256(`ticket ${index}`), keepUntilMs },
        }),
      ),
    );
    assert.deepEqual(new Set(answers), new Set(['created']));
    await settle(LASTS_MS - 60_000);
    assert.equal(marks(), TICKETS);
    await settle(10 * 60_000);
    assert.equal(marks(), 0);
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true });
  }
});
