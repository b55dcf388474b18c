import type { Command } from 'commander';
import type { Coverage } from '@waxwing/client-core';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { openNames } from '../names.ts';
import { knownConversation } from '../peer.ts';

type CoverageOptions = { readonly profile: string; readonly with: string; readonly json?: true };

export function addCoverage(program: Command, context: Context): void {
  program
    .command('coverage')
    .description(
      'Prints which numbers of a conversation this device holds, and what is missing and why. Needs no server.',
    )
    .requiredOption('--profile <dir>', 'the folder of the device')
    .requiredOption('--with <user>', 'an account id or a username')
    .option('--json', 'one JSON line for each range')
    .action((options: CoverageOptions) => coverage(context, options));
}

async function coverage(context: Context, o: CoverageOptions): Promise<void> {
  const { out } = context;
  await withDevice(context, o.profile, async (client, profile) => {
    const conversation = await knownConversation(client, await openNames(profile), o.with);
    const { held, holes } = await conversation.coverage();
    if (o.json) {
      for (const range of held) await out.json({ kind: 'held', ...range });
      for (const hole of holes) await out.json({ kind: 'hole', ...hole });
      return;
    }
    for (const range of held) await out.line(`held     ${place(range)}`);
    for (const { range, count, reason } of holes) {
      await out.line(`missing  ${range ? place(range) : `${count} without a number`}: ${reason}`);
    }
    if (held.length === 0 && holes.length === 0) await out.line('nothing yet');
  });
}

function place({ epoch, era, from, to }: Coverage['held'][number]): string {
  const numbers = from === to ? `${from}` : `${from} to ${to}`;
  return `${numbers} (era ${new Date(era).toISOString()}, epoch ${epoch})`;
}
