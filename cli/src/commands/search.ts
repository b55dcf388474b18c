import type { AccountId, Client, SearchHit } from '@waxwing/client-core';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { hitJson } from '../message-json.ts';
import { openNames, type Names } from '../names.ts';
import { positiveInteger } from '../option-values.ts';
import { knownAccount, knownConversation } from '../peer.ts';
import { hitLine, peopleOf } from '../transcript.ts';

type SearchOptions = {
  readonly profile: string;
  readonly with?: string;
  readonly from?: string;
  readonly limit: number;
  readonly json?: true;
};

const LIMIT = 20;

export function addSearch(program: Command, context: Context): void {
  program
    .command('search')
    .description(
      'Prints the messages on this device that have all these words, the newest first: word, begin*, "a phrase". Needs no server.',
    )
    .argument('<query...>', 'what to search for')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .option('--with <user>', 'only the conversation with this account id or username')
    .option('--from <user>', 'only what this account id or username wrote, or me')
    .option('--limit <n>', 'at most so many messages', positiveInteger, LIMIT)
    .option('--json', 'one JSON line for each message')
    .action((query: readonly string[], options: SearchOptions) => search(context, query.join(' '), options));
}

async function search(context: Context, query: string, o: SearchOptions): Promise<void> {
  const { out, err } = context;
  await withDevice(context, o.profile, async (client, profile) => {
    const names = await openNames(profile);
    const conversation = o.with === undefined ? undefined : (await knownConversation(client, names, o.with)).id;
    const from = o.from === undefined ? undefined : await writer(client, names, o.from);
    const people = peopleOf(client.account, names);
    const print = (hit: SearchHit): Promise<void> => (o.json ? out.json(hitJson(hit)) : out.line(hitLine(hit, people)));
    let before: string | undefined;
    for (let left = o.limit; left > 0;) {
      const page = await client.search(query, {
        ...(conversation && { conversation }),
        ...(from && { from }),
        ...(before !== undefined && { before }),
        limit: left,
      });
      for (const hit of page.items) await print(hit);
      left -= page.items.length;
      if (page.before === null) return;
      before = page.before;
    }
    await err.line(`older messages are left out. Type: --limit ${o.limit * 10}`);
  });
}

/** Who wrote what is searched for: `me`, which is too short for a username, or a person. */
function writer(client: Client, names: Names, user: string): Promise<AccountId> | AccountId {
  return user === 'me' ? client.account : knownAccount(client, names, user);
}
