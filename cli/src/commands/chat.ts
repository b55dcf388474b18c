import type { Client } from '@waxwing/client-core';
import type { Command } from 'commander';
import { ChatSession } from '../chat/session.ts';
import { createScreen } from '../chat/screen.ts';
import { terminalOf, type Terminal } from '../chat/terminal.ts';
import type { Context } from '../context.ts';
import { stayConnected, withDevice } from '../device.ts';
import { openNames, type Names } from '../names.ts';
import { deviceName } from '../profile.ts';

type ChatOptions = { readonly profile: string; readonly with?: string };

export function addChat(program: Command, context: Context): void {
  program
    .command('chat')
    .description('Talks, on a terminal or line by line in a pipe: /help says how.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .option('--with <user>', 'opens the conversation with an account id or a username')
    .action((options: ChatOptions) => chat(context, options));
}

async function chat(context: Context, options: ChatOptions): Promise<void> {
  await withDevice(context, options.profile, async (client, profile) => {
    const names = await openNames(profile);
    const terminal = terminalOf(context.io);
    if (terminal) await onTerminal(context, client, names, terminal, options.with);
    else await inPipe(context, client, names, options.with, await deviceName(profile));
  });
}

async function onTerminal(
  context: Context,
  client: Client,
  names: Names,
  terminal: Terminal,
  withUser: string | undefined,
): Promise<void> {
  // What draws takes a while to load, and no other command needs it.
  const { TerminalChat } = await import('../chat/terminal/terminal-chat.ts');
  const chat = new TerminalChat({ context, client, names, terminal });
  // The screen says how the connection is.
  const lost = stayConnected(context.runtime, client, () => undefined);
  await chat.run(AbortSignal.any([lost, context.io.interrupted()]), withUser);
  const unsent = chat.unsentTo();
  if (unsent.length > 0) await context.err.line(`not sent yet to ${unsent.join(', ')}: it goes next time`);
  lost.throwIfAborted();
}

async function inPipe(
  context: Context,
  client: Client,
  names: Names,
  withUser: string | undefined,
  device: string | undefined,
): Promise<void> {
  const session = new ChatSession({ context, client, names, screen: createScreen(context.io) });
  try {
    await session.begin({ ...(withUser !== undefined && { withUser }), ...(device !== undefined && { device }) });
    const lost = stayConnected(context.runtime, client, (line) => session.say(line));
    await session.run(AbortSignal.any([lost, context.io.interrupted()]));
    lost.throwIfAborted();
  } finally {
    session.end();
  }
}
