import type { Command } from 'commander';
import { ChatSession } from '../chat/session.ts';
import { createScreen } from '../chat/screen.ts';
import type { Context } from '../context.ts';
import { stayConnected, withDevice } from '../device.ts';
import { openNames } from '../names.ts';
import { deviceName } from '../profile.ts';

type ChatOptions = { readonly profile: string; readonly with?: string };

export function addChat(program: Command, context: Context): void {
  program
    .command('chat')
    .description('Talks, line by line: /help says how.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .option('--with <user>', 'opens the conversation with an account id or a username')
    .action((options: ChatOptions) => chat(context, options));
}

async function chat(context: Context, options: ChatOptions): Promise<void> {
  await withDevice(context, options.profile, async (client, profile) => {
    const names = await openNames(profile);
    const screen = createScreen(context.io);
    const session = new ChatSession({ context, client, names, screen });
    try {
      const device = await deviceName(profile);
      await session.begin({
        ...(options.with !== undefined && { withUser: options.with }),
        ...(device !== undefined && { device }),
      });
      const lost = stayConnected(context.runtime, client, (line) => session.say(line));
      await session.run(AbortSignal.any([lost, context.io.interrupted()]));
      lost.throwIfAborted();
    } finally {
      session.end();
    }
  });
}
