import type { Client } from '@waxwing/client-core';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { stayConnected, withDevice } from '../device.ts';
import { WrongUse } from '../failure.ts';
import { inboxJson } from '../message-json.ts';
import { positiveInteger } from '../option-values.ts';

type TailOptions = { readonly profile: string; readonly consumer?: string; readonly count?: number };

const CONSUMER = /^[\p{L}\p{N}._-]{1,64}$/u;

export function addTail(program: Command, context: Context): void {
  program
    .command('tail')
    .description('Prints incoming messages, one JSON line each, from where this consumer was last.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .option('--consumer <name>', 'who reads: each name gets every message at least once')
    .option('--count <n>', 'ends after so many messages', positiveInteger)
    .action((options: TailOptions) => tail(context, options));
}

/** A line is written before its message counts as handled: after a kill the last ones come again, as `redelivered`. */
async function tail(context: Context, { profile, consumer, count }: TailOptions): Promise<void> {
  if (consumer !== undefined && !CONSUMER.test(consumer)) {
    throw new WrongUse('--consumer is a name of up to 64 letters, digits, dots, hyphens and underscores');
  }
  await withDevice(context, profile, async (client) => {
    const inbox = client.inbox(consumer === undefined ? {} : { consumer });
    const end = (): void => void inbox.return?.();
    const lost = stayConnected(context.runtime, client, context.say);
    lost.addEventListener('abort', end);
    const stopped = context.io.interrupted();
    stopped.addEventListener('abort', end);
    if (stopped.aborted) end();
    void sayAlerts(client, context.say);
    let printed = 0;
    for await (const message of inbox) {
      await context.out.json(inboxJson(message));
      message.done();
      printed += 1;
      if (printed === count) break;
    }
    if (printed !== count) lost.throwIfAborted();
  });
}

/** Says what is found while messages are printed, until the client closes. Names of accounts and of findings hold no content. */
async function sayAlerts(client: Client, say: (line: string) => void): Promise<void> {
  for await (const event of client.events()) {
    if (event.type === 'securityAlert') say(`alert: ${event.account}: ${event.what}`);
  }
}
