import type { Command } from 'commander';
import { createClient, DeviceExistsError, WaxwingError } from '@waxwing/client-core';
import type { Context } from '../context.ts';
import { begunRegistration, forgetRegistration, noteRegistration, type AskedFor } from '../begun-registration.ts';
import { Failure, WrongUse } from '../failure.ts';
import { inputLines } from '../input-lines.ts';
import { openNames } from '../names.ts';
import { hasStore, makeProfile, nameDevice } from '../profile.ts';
import { serverOrigin } from '../settings/values.ts';

type RegisterOptions = {
  readonly server: string;
  readonly profile: string;
  readonly username?: string;
  readonly deviceName?: string;
  readonly ticket?: string;
};

const DEVICE_NAME = /^(?=.*\S)\P{Cc}{1,64}$/u;

export function addRegister(program: Command, context: Context): void {
  program
    .command('register')
    .description('Makes an account with its first device, in a folder of its own; prints it as JSON.')
    .requiredOption('--server <url>', "the server's origin, as http://127.0.0.1:7700")
    .requiredOption('--profile <dir>', 'the folder for the device: its encrypted file and the key of that file')
    .option('--username <name>', 'nick, or nick.NN; the server keeps only its hash')
    .option('--device-name <name>', 'what this device is called, in its own profile')
    .option(
      '--ticket <ticket>',
      "where the server asks for one: a ticket of the app's backend; - reads it from standard input",
    )
    .action((options: RegisterOptions) => register(context, options));
}

/** Interrupted or without an answer, it is finished by the same command. */
async function register({ io, out, runtime }: Context, o: RegisterOptions): Promise<void> {
  const server = serverOrigin(o.server);
  if (server === undefined) throw new WrongUse(`--server: ${o.server} is not an origin such as http://127.0.0.1:7700`);
  const { username, deviceName } = o;
  if (deviceName !== undefined && !DEVICE_NAME.test(deviceName)) {
    throw new WrongUse('--device-name is a name of 1 to 64 characters, none of them a control character');
  }
  const ticket = o.ticket === '-' ? await firstLine(io) : o.ticket;
  const asked: AskedFor = { server, ...(username !== undefined && { username }) };
  const profile = await makeProfile(o.profile, runtime.randomBytes);
  const begun = await begunRegistration(profile);
  if (begun && (begun.server !== server || begun.username !== username)) throw begunOtherwise(profile.folder, begun);
  if (!begun && !(await hasStore(profile))) await noteRegistration(profile, asked);
  const client = await createClient({
    ...asked,
    store: profile.store,
    ...(ticket !== undefined && { ticket: () => Promise.resolve(ticket) }),
  }).catch(async (error: unknown) => {
    if (isOutcome(error)) await forgetRegistration(profile);
    throw explained(error, profile.folder, server);
  });
  const { account, device } = client;
  await client.close();
  if (username !== undefined) await (await openNames(profile)).keep(username, account);
  if (deviceName !== undefined) await nameDevice(profile, deviceName);
  const named = deviceName === undefined ? {} : { deviceName };
  await out.json({ account, device, ...asked, ...named, profile: profile.folder });
  await forgetRegistration(profile);
}

/** Not on the command line, where other users of the machine could read it. */
async function firstLine({ stdin }: Context['io']): Promise<string> {
  for await (const { line } of inputLines(stdin)) return line.trim();
  throw new WrongUse('--ticket -: standard input has no ticket');
}

function begunOtherwise(folder: string, { server, username }: AskedFor): Failure {
  const named = username === undefined ? '' : ` --username ${username}`;
  return new Failure(
    `${folder} has a registration that was begun with --server ${server}${named}. Finish that, or take another folder`,
  );
}

/** Whether there is nothing left to finish: refused for good, or made before. */
function isOutcome(error: unknown): boolean {
  return error instanceof WaxwingError && !error.retryable;
}

function explained(error: unknown, folder: string, server: string): unknown {
  if (error instanceof DeviceExistsError) return new Failure(`${folder} has a device already. Take another folder`);
  if (!(error instanceof WaxwingError)) return error;
  if (error.code === 'unreachable') {
    return new Failure(`${server} does not answer. The same command goes on where this one ended`, { cause: error });
  }
  if (error.code === 'ticket_missing') {
    return new Failure(`${server} lets in who has a ticket of the app's backend: give it as --ticket`, {
      cause: error,
    });
  }
  if (error.code === 'no_ticket') {
    return new Failure('the ticket is past its time or was used. The same command goes on with a fresh one', {
      cause: error,
    });
  }
  return error.code === 'bad_username' ? new WrongUse(`--username: ${error.message}`) : error;
}
