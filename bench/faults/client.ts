import { existsSync, readFileSync } from 'node:fs';
import { createClient, openClient, systemRuntime, WaxwingError, type Client, type Runtime } from '@waxwing/client-core';
import { inputLines, say } from './lines.ts';
import type { ClientOrder, ClientStart } from './orders.ts';

// A client in a process of its own, told what to do line by line. Its clock can be stepped, and its timers run faster than
// those of the system, by one factor: what takes 75 s at 1 takes 7.5 s at 10.

/** What a deaf client waits for never comes: an answer to a ping, or the time to send one. */
const DEAF_FROM_MS = 5_000;

function pacedRuntime({ pace, deaf }: Pick<ClientStart, 'pace' | 'deaf'>): {
  readonly runtime: Runtime;
  readonly step: (byMs: number) => void;
} {
  const system = systemRuntime();
  let offsetMs = 0;
  const runtime: Runtime = {
    ...system,
    clock: { now: () => system.clock.now() + offsetMs },
    timers: {
      after: (delayMs, call) =>
        deaf && delayMs >= DEAF_FROM_MS ? () => undefined : system.timers.after(delayMs / pace, call),
    },
  };
  return { runtime, step: (byMs) => (offsetMs += byMs) };
}

async function send(client: Client, order: Extract<ClientOrder, { do: 'send' }>): Promise<void> {
  const conversation = await client.direct(order.peer);
  for (const text of order.texts) {
    const message = await conversation.send({ text }, { id: text });
    message.reached('sent').then(
      () => say({ said: 'sent', text, id: message.id }),
      () => say({ said: 'failed', text }),
    );
    await new Promise((resolve) => setTimeout(resolve, order.everyMs));
  }
}

async function tellHistory(client: Client, peer: string): Promise<void> {
  const conversation = await client.direct(peer);
  const lines = conversation
    .history({ limit: 1_000_000 })
    .getSnapshot()
    .items.map((item) =>
      item.kind === 'message'
        ? { kind: 'message', id: item.id, text: item.text ?? '', era: item.sequence?.era }
        : { kind: 'hole', id: item.id, text: item.kind === 'hole' ? item.reason : item.what },
    );
  say({ said: 'history', lines });
}

async function run({ server, path, keyFile, ...timing }: ClientStart): Promise<void> {
  const { runtime, step } = pacedRuntime(timing);
  const store = { path, key: readFileSync(keyFile) };
  const client = existsSync(path)
    ? await openClient({ store, server, runtime })
    : await createClient({ store, server, runtime });
  say({ said: 'ready', account: client.account });
  const tellState = (): void => say({ said: 'state', ...client.connection.getSnapshot() });
  client.connection.subscribe(tellState);
  const connect = (): void => {
    client.connect().catch((error: unknown) => {
      say({ said: 'ended', code: error instanceof WaxwingError ? error.code : String(error) });
    });
  };
  connect();
  void (async () => {
    for await (const { text = '', redelivered } of client.inbox()) say({ said: 'received', text, redelivered });
  })();
  let sending = Promise.resolve();
  for await (const line of inputLines(process.stdin)) {
    const order = JSON.parse(line) as ClientOrder;
    switch (order.do) {
      case 'send':
        sending = sending.then(() => send(client, order));
        break;
      case 'step':
        step(order.byMs);
        say({ said: 'stepped' });
        break;
      case 'connect':
        connect();
        break;
      case 'history':
        await tellHistory(client, order.peer);
        break;
      case 'close':
        await client.close();
        return;
    }
  }
  await client.close();
}

try {
  await run(JSON.parse(process.argv[2] ?? '') as ClientStart);
  process.exit(0);
} catch (error) {
  say({ said: 'refused', name: error instanceof Error ? error.constructor.name : 'unknown' });
  process.exit(1);
}
