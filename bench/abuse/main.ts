/**
 * `npm run proof:abuse [-- WHAT…]`: what one who abuses the servers or a client can do to the others, one row each; all
 * rows if none is named. Prints one JSON line per row; exit code 1 if a promise does not hold or a figure is over its limit.
 */
import { limits } from '@waxwing/protocol';
import { counterJumps } from './counter-jumps.ts';
import { floods } from './floods.ts';
import { handedOutKeys } from './handed-out-keys.ts';
import { prekeyDepletion } from './prekey-depletion.ts';
import { replayedFirstMessages } from './replayed-first-messages.ts';
import type { RowReport } from './report.ts';
import { inSmallBuffers, isInSmallBuffers } from './small-buffers.ts';
import { slowHttp } from './slow-http.ts';
import { stoppedReaders } from './stopped-readers.ts';

type Row = { readonly run: () => Promise<RowReport>; readonly smallBuffers?: true };

/** Mailboxes at one of their limits each. */
const full = {
  entries: { readers: 10, entries: limits.mailboxMaxEntries, entryBytes: 64 },
  bytes: { readers: 10, entries: 680, entryBytes: limits.ciphertextMaxBytes },
};
const crowd = { readers: 1_000, pairs: 50, seconds: 12, returning: 20 };

const rows: Readonly<Record<string, Row>> = {
  'stopped-readers': {
    run: () => stoppedReaders({ ...crowd, entries: 96, entryBytes: 4_096, full: full.entries }),
    smallBuffers: true,
  },
  'stopped-readers-large': {
    run: () => stoppedReaders({ ...crowd, entries: 10, entryBytes: 90_000, full: full.bytes }),
    smallBuffers: true,
  },
  'prekey-depletion': { run: () => prekeyDepletion({ takes: 10_000, callers: 33 }) },
  'handed-out-keys': { run: () => handedOutKeys({ takes: 100_000, keys: 10_000, kills: 10 }) },
  'replayed-first-messages': { run: () => replayedFirstMessages({ messages: 50 }) },
  floods: { run: () => floods({ handles: 100_000, sockets: 10_000 }) },
  'slow-http': { run: () => slowHttp({ socketsPerWay: 200 }) },
  'counter-jumps': {
    run: () => counterJumps({ realJumps: [1, 100, 2_000, 10_000, 24_999, 25_001, 30_000], exhaust: 8 }),
  },
};

async function prove(name: string, { run, smallBuffers }: Row): Promise<boolean> {
  if (smallBuffers && !isInSmallBuffers()) {
    const { printed, code } = inSmallBuffers(name);
    process.stdout.write(printed);
    return code === 0;
  }
  const began = performance.now();
  const { broken, over, figures } = await run();
  const ok = broken.length === 0 && over.length === 0;
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stdout.write(`${JSON.stringify({ proof: 'abuse', row: name, ok, broken, over, ...figures, seconds })}\n`);
  return ok;
}

const named = process.argv.slice(2);
let held = true;
for (const name of named.length > 0 ? named : Object.keys(rows)) {
  const row = rows[name];
  if (!row) throw new Error(`no row ${name}: ${Object.keys(rows).join(', ')}`);
  held = (await prove(name, row)) && held;
}
process.exit(held ? 0 : 1);
