/**
 * One device of the latency proof, a process of its own, on a profile that `waxwing register` made.
 *
 *     person.ts send PROFILE ACCOUNT RATE COUNT    sends so many a second, whatever becomes of the ones before
 *     person.ts receive PROFILE COUNT              ends when so many came
 *
 * `ready` is printed when it is online; a line on the input starts the sender. Then a JSON line for each message: its
 * number and the time in milliseconds at which `send` was called, or at which it came out of the inbox.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from '@waxwing/client-core';

const [role = '', profile = '', ...rest] = process.argv.slice(2);
const key = Uint8Array.from(Buffer.from(readFileSync(join(profile, 'device.key'), 'utf8').trim(), 'hex'));
const client = await openClient({ store: { path: join(profile, 'device.db'), key } });
const now = (): number => performance.timeOrigin + performance.now();
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

await client.connect();
process.stdout.write('ready\n');
if (role === 'send') {
  const [account = '', rate = '', count = ''] = rest;
  const conversation = await client.direct(account);
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const began = performance.now();
  const sent = [];
  for (let index = 0; index < Number(count); index++) {
    const due = began + (index * 1_000) / Number(rate);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    // Late by the sender's own doing counts: the message was due at this time.
    say({ index, at: performance.timeOrigin + due });
    sent.push(conversation.send({ text: String(index) }));
  }
  for (const message of sent) await (await message).reached('sent');
} else {
  const [count = ''] = rest;
  let came = 0;
  for await (const message of client.inbox()) {
    say({ index: Number(message.text), at: now() });
    message.done();
    came += 1;
    if (came === Number(count)) break;
  }
}
await client.close();
process.exit(0);
