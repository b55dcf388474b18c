import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits, systemRuntime } from '@waxwing/protocol';
import { expect, test } from 'vitest';
import { openStore } from '../../../../client-core/src/history/store.ts';
import type { Contacts } from '../../../../client-core/src/sync/contacts.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import type { DirectSender } from '../../../../client-core/src/sync/direct-sender.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { RepairAsker } from '../../../../client-core/src/sync/repair-asker.ts';
import { at, bob, handle } from './frames.ts';

test('a hole whose time was drawn before the clock was set back is asked for within the hour', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-asker-')), 'device.db');
  const store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  let nowMs = 1_000_000_000;
  const epoch = store.transaction(() => {
    const { id } = store.conversations.ensureDirect(bob.account, 0);
    const placing = new Placing(store, nowMs);
    const { id: begun } = store.conversations.ensureEpoch(id, 1, handle);
    placing.hole(begun, { sequence: at(1, 1) }, 'undecryptable');
    placing.finish();
    return begun;
  });
  const { randomBytes } = systemRuntime;
  const context = { store, clock: { now: () => nowMs }, randomBytes } as unknown as SyncContext;
  const asker = new RepairAsker(context, {} as unknown as Contacts, { isConnected: false } as unknown as DirectSender);
  expect(asker.nextMs()).toBeGreaterThanOrEqual(nowMs);
  store.transaction(() => store.repairs.wantTail(epoch, nowMs + limits.repairMaxMs));
  nowMs -= 25 * 60 * 60 * 1_000;
  expect(asker.nextMs()).toBeLessThanOrEqual(nowMs + limits.repairMaxMs);
  nowMs -= 25 * 60 * 60 * 1_000;
  await asker.run();
  expect(store.repairs.nextDue()).toBeLessThanOrEqual(nowMs + limits.repairMaxMs);
  store.close();
});
