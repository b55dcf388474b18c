import { Argument, Option, type Command } from 'commander';
import type { Context } from '../context.ts';
import { stayConnected, withDevice } from '../device.ts';
import { Failure, WrongUse } from '../failure.ts';
import { inputLines } from '../input-lines.ts';
import { openNames } from '../names.ts';
import { positiveInteger } from '../option-values.ts';
import { parseOutgoingLine, type OutgoingLine } from '../outgoing-line.ts';
import { conversationWith } from '../peer.ts';
import { SendRun, type Wanted } from '../send-run.ts';

type SendOptions = {
  readonly profile: string;
  readonly to: string;
  readonly id?: string;
  readonly wait: Wanted;
  readonly timeout?: number;
};

export function addSend(program: Command, context: Context): void {
  program
    .command('send')
    .description('Sends a message, or every line of the input; prints one JSON line for each: id and status.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .requiredOption('--to <user>', 'an account id or a username')
    .option('--id <key>', 'the message it is: the same key is the same message, however often it is sent')
    .addOption(
      new Option('--wait <state>', 'how far each message has to come')
        .choices(['sent', 'delivered', 'read'])
        .default('sent'),
    )
    .option('--timeout <seconds>', 'gives up waiting; what is not sent yet goes with the next command', positiveInteger)
    .addArgument(new Argument('<text>', 'the text, or - for the input: plain text or {"id", "text"}, one a line'))
    .action((text: string, options: SendOptions) => send(context, text, options));
}

async function send(context: Context, text: string, { profile, to, id, wait, timeout }: SendOptions): Promise<void> {
  if (text === '-' && id !== undefined)
    throw new WrongUse('with - each line brings its own id: {"id": KEY, "text": TEXT}');
  if (text === '') throw new WrongUse('the text is empty');
  if (id === '') throw new WrongUse('--id is empty');
  const lines = text === '-' ? linesOf(context) : one({ text, ...(id !== undefined && { key: id }) });
  const allReached = await withDevice(context, profile, async (client, opened) => {
    const names = await openNames(opened);
    const conversation = await conversationWith(client, names, to);
    const lost = stayConnected(context.runtime, client, context.say);
    const stop = new AbortController();
    const cancel =
      timeout === undefined ? undefined : context.runtime.timers.after(timeout * 1_000, () => stop.abort());
    const run = new SendRun({ conversation, wanted: wait, out: context.out });
    try {
      return await run.all(lines, AbortSignal.any([lost, stop.signal, context.io.interrupted()]));
    } finally {
      cancel?.();
      if (lost.aborted) lost.throwIfAborted();
    }
  });
  if (!allReached) throw new Failure(`not every message is ${wait}`);
}

async function* linesOf({ io }: Context): AsyncGenerator<OutgoingLine> {
  for await (const { line, at } of inputLines(io.stdin)) yield parseOutgoingLine(line, at);
}

async function* one(line: OutgoingLine): AsyncGenerator<OutgoingLine> {
  yield await Promise.resolve(line);
}
