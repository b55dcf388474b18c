import type { Command } from 'commander';
import { UnknownUserError, UnreachableError } from '@waxwing/client-core';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { Failure } from '../failure.ts';
import { openNames } from '../names.ts';
import { knownAccount } from '../peer.ts';
import { printable } from '../printable.ts';

type SafetyNumberOptions = { readonly profile: string; readonly with: string; readonly json?: true };

const GROUPS_PER_LINE = 4;

export function addSafetyNumber(program: Command, context: Context): void {
  program
    .command('safety-number')
    .description(
      'Prints the 60 digits to compare with a person, who must see the same. Needs no server for an account that this device knows.',
    )
    .requiredOption('--profile <dir>', 'the folder of the device')
    .requiredOption('--with <user>', 'an account id or a username')
    .option('--json', 'one JSON line, with what another device may scan as base64url')
    .action((options: SafetyNumberOptions) => safetyNumber(context, options));
}

async function safetyNumber(context: Context, o: SafetyNumberOptions): Promise<void> {
  const { out } = context;
  await withDevice(context, o.profile, async (client, profile) => {
    const account = await knownAccount(client, await openNames(profile), o.with);
    const number = await client.safetyNumber(account).catch((error: unknown) => {
      if (error instanceof UnknownUserError) throw new Failure(`no such account: ${printable(o.with)}`);
      if (!(error instanceof UnreachableError)) throw error;
      throw new Failure(`the server does not answer, and this device does not know ${printable(o.with)} yet`, {
        cause: error,
      });
    });
    const { digits, scannable, verified } = number;
    if (o.json) {
      await out.json({ account, digits, scannable: Buffer.from(scannable).toString('base64url'), verified });
      return;
    }
    const groups = digits.match(/\d{5}/g) ?? [];
    for (let at = 0; at < groups.length; at += GROUPS_PER_LINE) {
      await out.line(groups.slice(at, at + GROUPS_PER_LINE).join(' '));
    }
    await out.line(verified ? 'verified' : 'not verified');
  });
}
