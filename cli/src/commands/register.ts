import type { Command } from 'commander';
import { createClient, DeviceExistsError, WaxwingError } from '@waxwing/client-core';
import type { Context } from '../context.ts';
import { Failure, WrongUse } from '../failure.ts';
import { openNames } from '../names.ts';
import { hasStore, makeProfile } from '../profile.ts';
import { serverOrigin } from '../settings/values.ts';

type RegisterOptions = { readonly server: string; readonly profile: string; readonly username?: string };

export function addRegister(program: Command, context: Context): void {
  program
    .command('register')
    .description('Makes an account with its first device, in a folder of its own; prints it as JSON.')
    .requiredOption('--server <url>', "the server's origin, as http://127.0.0.1:7700")
    .requiredOption('--profile <dir>', 'the folder for the device: its encrypted file and the key of that file')
    .option('--username <name>', 'nick, or nick.NN; the server keeps only its hash')
    .action((options: RegisterOptions) => register(context, options));
}

/** Interrupted, it is finished by the same command: an account that was begun in this folder is the one that comes of it. */
async function register({ out, err, runtime }: Context, o: RegisterOptions): Promise<void> {
  const server = serverOrigin(o.server);
  if (server === undefined) throw new WrongUse(`--server: ${o.server} is not an origin such as http://127.0.0.1:7700`);
  const profile = await makeProfile(o.profile, runtime.randomBytes);
  const wasBegun = await hasStore(profile);
  const { username } = o;
  const options = { server, store: profile.store, ...(username !== undefined && { username }) };
  const client = await createClient(options).catch((error: unknown) => {
    throw explained(error, profile.folder, server);
  });
  const { account, device } = client;
  await client.close();
  if (wasBegun) await err.line('finished the registration that was begun here before, as it was asked for then');
  if (!wasBegun && username !== undefined) await (await openNames(profile)).keep(username, account);
  const asked = wasBegun ? {} : { server, ...(username !== undefined && { username }) };
  await out.json({ account, device, ...asked, profile: profile.folder });
}

function explained(error: unknown, folder: string, server: string): unknown {
  if (error instanceof DeviceExistsError) return new Failure(`${folder} has a device already. Take another folder`);
  if (!(error instanceof WaxwingError)) return error;
  if (error.code === 'unreachable') {
    return new Failure(`${server} does not answer. The same command goes on where this one ended`, { cause: error });
  }
  return error.code === 'bad_username' ? new WrongUse(`--username: ${error.message}`) : error;
}
