// A bot that answers every message once, however often it is stopped or killed:
// node --conditions=waxwing-source --import tsx examples/bot.ts http://127.0.0.1:7700 /tmp/bot

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, generateStoreKey, NoDeviceError, openClient, type Client } from '@waxwing/client-core';

const [server = 'http://127.0.0.1:7700', folder = '/tmp/waxwing-bot'] = process.argv.slice(2);

/** The key opens the device's file: it is kept apart, for the bot alone to read. A bot in earnest has it from a secret store. */
function storeKey(): Uint8Array {
  const path = join(folder, 'key');
  if (!existsSync(path)) writeFileSync(path, generateStoreKey(), { mode: 0o600 });
  return readFileSync(path);
}

/** The bot's device: the one in its folder, or at the first start a new account. */
async function open(): Promise<Client> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const store = { path: join(folder, 'device.db'), key: storeKey() };
  try {
    return await openClient({ store });
  } catch (error) {
    if (!(error instanceof NoDeviceError)) throw error;
    return createClient({ server, store });
  }
}

const client = await open();
process.once('SIGTERM', () => void client.close());
await client.connect();
console.log(client.account);

// The consumer's name keeps the place: what the bot was not done with when it ended comes again.
for await (const message of client.inbox({ consumer: 'answers' })) {
  const conversation = await client.direct(message.from);
  // The same id is the same message, ever: what comes again is not answered again.
  await conversation.send({ text: `You said: ${message.text ?? '…'}` }, { id: `answer to ${message.id}` });
}
