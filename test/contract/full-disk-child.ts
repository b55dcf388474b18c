import { systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage } from '@waxwing/storage';
import { accepted, accountNumber, firstList, keyOf, sending } from './people.ts';
import type { FullLine } from './full-disk-plan.ts';

// A process whose files may grow only so far, and later further: the limit is set from outside.

const say = (line: FullLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const storage = await openSqliteStorage({
  directory: process.argv[2] ?? '',
  runtime: systemRuntime,
  thread: 'calling',
});
const [ann, bob] = [1, 2].map((n) => ({ account: accountNumber(n), list: firstList(accountNumber(n)) }));
if (!ann || !bob) throw new Error('two people');
for (const { list } of [ann, bob]) await storage.directory.register({ list, prekeys: {} });
say({ said: 'ready', pid: process.pid });
await new Promise((resolve) => process.stdin.once('data', resolve));

const text = 'x'.repeat(4_000);
let full = 0;
for (let n = 1, after = 0; after < 50;) {
  const result = await storage.mailboxes.submit(sending({ from: ann, to: [bob], n, oldest: n, text }));
  if (result.type === 'accepted') {
    say({ said: 'accepted', n, number: result.sequence.number, duplicate: result.duplicate });
    n += 1;
    if (full > 0) after += 1;
    continue;
  }
  if (result.type !== 'refused' || result.code !== 'store_full') throw new Error(JSON.stringify(result));
  full += 1;
  if (full === 1) {
    // What needs no room goes on.
    const { incarnation } = await storage.mailboxes.open(keyOf(bob));
    const { entries } = await storage.mailboxes.read(keyOf(bob), 0, { entries: 1e6, bytes: 1e12 });
    await storage.mailboxes.ack(keyOf(bob), { incarnation, number: 1 });
    const known = await accepted(storage, sending({ from: ann, to: [bob], n: n - 1, text }));
    const check = await storage.mailboxes.check().then(
      () => 'writes',
      () => 'refuses',
    );
    say({ said: 'full', entries: entries.length, known: known.duplicate, check });
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await storage.mailboxes.check();
await storage.close();
say({ said: 'done' });
process.exit(0);
