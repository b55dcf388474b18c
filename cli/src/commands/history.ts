import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { historyJson } from '../message-json.ts';
import { openNames } from '../names.ts';
import { positiveInteger } from '../option-values.ts';
import { knownConversation } from '../peer.ts';
import { peopleOf, transcript } from '../transcript.ts';

type HistoryOptions = {
  readonly profile: string;
  readonly with: string;
  readonly limit: number;
  readonly json?: true;
};

const LIMIT = 50;

export function addHistory(program: Command, context: Context): void {
  program
    .command('history')
    .description('Prints a conversation as this device has it: messages and holes, in order. Needs no server.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .requiredOption('--with <user>', 'an account id or a username')
    .option('--limit <n>', 'at most so many messages, the newest', positiveInteger, LIMIT)
    .option('--json', 'one JSON line for each message and hole')
    .action((options: HistoryOptions) => history(context, options));
}

async function history(context: Context, o: HistoryOptions): Promise<void> {
  const { out, err } = context;
  await withDevice(context, o.profile, async (client, profile) => {
    const names = await openNames(profile);
    const conversation = await knownConversation(client, names, o.with);
    const { items, hasOlder, state, error } = conversation.history({ limit: o.limit }).getSnapshot();
    if (state === 'error') throw error;
    if (o.json) for (const item of items) await out.json(historyJson(item));
    else for (const line of transcript(items, peopleOf(client.account, names))) await out.line(line);
    if (hasOlder) await err.line(`older messages are left out. Type: --limit ${o.limit * 10}`);
  });
}
