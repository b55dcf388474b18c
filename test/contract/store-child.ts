import { systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage, type DeviceKey } from '@waxwing/storage';
import { seededBytes } from '../kit/src/manual-runtime.ts';
import { acker, cast, digestOf, directNumber, handles, roomy, type Line, type Start } from './kill-plan.ts';
import { directing, keyOf, recipient, sending } from './people.ts';

// A process that uses the embedded storage as a relay does until it is killed, and says what it was told as it is told.

const start = JSON.parse(process.argv[2] ?? '') as Start;
const storage = await openSqliteStorage({
  directory: start.folder,
  runtime: systemRuntime,
  thread: start.thread,
  limits: roomy,
});
const { mailboxes } = storage;
const say = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const random = seededBytes(start.seed);
const chance = (oneIn: number): boolean => (random(1)[0] ?? 0) % oneIn === 0;

const people = cast();
for (const { list } of people) {
  await storage.directory.register({ list, prekeys: {} });
}

/** One sender device in one handle: keeps up to four submits in flight, n after n. */
async function send(from: number, handle: number): Promise<void> {
  const person = people[from];
  const name = handles[handle];
  if (person === undefined || name === undefined) return;
  let n = start.next[`${from}.${handle}`] ?? 1;
  for (;;) {
    const to = people.filter((other) => other !== person);
    const oldest = n;
    const submits = [0, 1, 2, 3].map(async (ahead) => {
      const text = `${from}.${handle}.${oldest + ahead} ${'x'.repeat(chance(5) ? 2_000 : 20)}`;
      const digest = digestOf(from, handle, oldest + ahead);
      const result = await mailboxes.submit(
        sending({ from: person, to, handle: name, n: oldest + ahead, oldest, text, digest }),
      );
      if (result.type !== 'accepted') throw new Error(JSON.stringify(result));
      const { sequence } = result;
      say({ said: 'accepted', from, handle, n: oldest + ahead, era: sequence.era, number: sequence.number });
    });
    await Promise.all(submits);
    n += 4;
  }
}

async function sendDirect(from: number): Promise<void> {
  const person = people[from];
  if (person === undefined) return;
  for (let id = start.nextDirect[from] ?? 1; ; id++) {
    const recipients = people.filter((other) => other !== person).map((other) => recipient(other, `direct ${id}`));
    const result = await mailboxes.submitDirect(directing({ from: person, recipients, id: directNumber(from, id) }));
    if (result.type !== 'accepted') throw new Error(JSON.stringify(result));
    say({ said: 'direct', from, id });
  }
}

/** Reads and acks now and then, as a device does that comes and goes. */
async function receive(device: DeviceKey): Promise<void> {
  for (;;) {
    const { incarnation } = await mailboxes.open(device);
    const { entries } = await mailboxes.read(device, 0, { entries: 200, bytes: 1e9 });
    const last = entries.at(-1);
    if (last && chance(3)) {
      say({ said: 'acking', upTo: last.number });
      await mailboxes.ack(device, { incarnation, number: last.number });
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

say({ said: 'open' });
await Promise.race([
  ...people.flatMap((person, who) => [
    ...handles.map((_, handle) => send(who, handle)),
    sendDirect(who),
    ...(who === acker ? [receive(keyOf(person))] : []),
  ]),
]);
