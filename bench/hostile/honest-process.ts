/**
 * An honest pair, in a process of its own so that no attacker's work delays it: two devices with files in a folder, one of
 * which says 50 messages a second to the other.
 *
 *     honest-process.ts SERVER FOLDER
 *
 * Prints the accounts when both have talked. Then lines on its input: `begin`; `stage`, what was said since the last such
 * line, as a JSON line; `end`, which says one more message, waits until all have come, prints a JSON line of what is wrong
 * with them, and ends the process.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, generateStoreKey, type Client, type SentMessage } from '@waxwing/client-core';
import { quantile } from '../abuse/report.ts';

const PER_SECOND = 50;
/** All messages are there by then, on a machine that does everything at once. */
const HERE_WITHIN_MS = 60_000;
/** How many of the last messages are looked up in the history: all, in a run of some minutes. */
const HISTORY_LOOK = 20_000;

const [server = '', folder = ''] = process.argv.slice(2);

async function person(name: string): Promise<Client> {
  const client = await createClient({ server, store: { path: join(folder, `${name}.db`), key: generateStoreKey() } });
  await client.connect();
  return client;
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const [alice, bob] = [await person('alice'), await person('bob')];
const conversation = await alice.direct(bob.account);
const wrong: string[] = [];
/** When each message was due. */
const due: number[] = [];
let last: SentMessage | undefined;
let came = 0;
let waits: number[] = [];

function say(dueMs: number): Promise<void> {
  const text = `honest ${due.push(dueMs) - 1}`;
  return conversation.send({ text }).then(
    (sent) => void (last = sent),
    (error: unknown) => void wrong.push(`an honest message failed: ${String(error)}`),
  );
}

void (async () => {
  for await (const message of bob.inbox()) {
    if (message.text !== `honest ${came}`) wrong.push(`${String(message.text)} came in the place of ${came}`);
    waits.push(performance.now() - (due[came] ?? 0));
    came += 1;
    message.done();
  }
})();

async function isHere(): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < HERE_WITHIN_MS;) {
    if (came >= due.length) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

await say(performance.now());
await last?.reached('delivered');
if (!(await isHere())) throw new Error('the first honest message did not come');
print({ accounts: [alice.account, bob.account] });

let timer: NodeJS.Timeout | undefined;
let stageBegan = performance.now();
let cameBefore = came;

function begin(): void {
  const [began, before] = [performance.now(), due.length];
  stageBegan = began;
  // What a late timer left out is made up for, and counts as late: the pair does not slow down with its server.
  timer = setInterval(() => {
    const dueMs = (): number => began + ((due.length - before) * 1_000) / PER_SECOND;
    while (dueMs() <= performance.now()) void say(dueMs());
  }, 5);
}

function stage(): void {
  const seconds = (performance.now() - stageBegan) / 1_000;
  const messages = came - cameBefore;
  print({ messages, perSecond: Math.round((messages / seconds) * 10) / 10, p99Ms: quantile(waits, 0.99) });
  waits = [];
  cameBefore = came;
  stageBegan = performance.now();
}

async function end(): Promise<void> {
  clearInterval(timer);
  await say(performance.now());
  if (!(await isHere())) wrong.push(`${due.length - came} of ${due.length} honest messages did not come`);
  let late: NodeJS.Timeout | undefined;
  const delivered = await Promise.race([
    last?.reached('delivered').then(() => 'delivered', String),
    new Promise((resolve) => (late = setTimeout(() => resolve('no receipt of the last one'), HERE_WITHIN_MS))),
  ]);
  clearTimeout(late);
  if (delivered !== 'delivered') wrong.push(String(delivered));
  const look = Math.min(due.length, HISTORY_LOOK);
  const { items } = (await bob.direct(alice.account)).history({ limit: look }).getSnapshot();
  const shown = items.map((item) => (item.kind === 'message' ? item.text : item.kind));
  const meant = Array.from({ length: look }, (_, index) => `honest ${due.length - look + index}`);
  if (JSON.stringify(shown) !== JSON.stringify(meant)) wrong.push('the history shows others, or in another order');
  print(wrong.slice(0, 20));
  await Promise.all([alice.close(), bob.close()]);
  process.exit(0);
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'begin') begin();
  if (line === 'stage') stage();
  if (line === 'end') await end();
}
