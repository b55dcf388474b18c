import { Command, CommanderError } from 'commander';
import { systemRuntime } from '@waxwing/protocol';
import { addChat } from './commands/chat.ts';
import { addCoverage } from './commands/coverage.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExplain } from './commands/explain.ts';
import { addHistory } from './commands/history.ts';
import { addRegister } from './commands/register.ts';
import { addSafetyNumber } from './commands/safety-number.ts';
import { addSearch } from './commands/search.ts';
import { addSend } from './commands/send.ts';
import { addServe } from './commands/serve.ts';
import { addTail } from './commands/tail.ts';
import { addToken } from './commands/token.ts';
import type { Context } from './context.ts';
import { inOneLine, OutputClosed, QuietFailure, WrongUse } from './failure.ts';
import type { Io } from './io.ts';
import { createOutput } from './output.ts';
import { ownVersion } from './version.ts';

/** Exit codes: all of it was done; it was called rightly and failed; it was called wrongly. */
const DONE = 0;
const FAILED = 1;
const WRONG_USE = 2;

/** What to type, by command: the shortest that works. */
const usage: Readonly<Record<string, string>> = {
  serve: 'serve --dev, or serve --data DIR',
  register: 'register --server URL --profile DIR [--username NAME]',
  send: "send --profile DIR --to USER 'TEXT'",
  tail: 'tail --profile DIR',
  history: 'history --profile DIR --with USER',
  search: "search --profile DIR [--with USER] [--from USER] 'QUERY'",
  coverage: 'coverage --profile DIR --with USER',
  'safety-number': 'safety-number --profile DIR --with USER',
  token: 'token --profile DIR --aud URL --path /v1/prekeys/count',
  explain: 'explain --profile DIR ID',
  doctor: 'doctor [--url URL] [--profile DIR] [--data DIR]',
  chat: 'chat --profile DIR [--with USER]',
};

/** Runs one command line, without the program's name; resolves with the exit code. Rejects never. */
export async function runWaxwing(argv: readonly string[], io: Io): Promise<number> {
  const [out, err] = [createOutput(io.stdout), createOutput(io.stderr)];
  const self = io.env.npm_lifecycle_event === 'waxwing' ? 'npm run waxwing --' : 'waxwing';
  const say = async (line: string): Promise<void> => err.line(line).catch(() => undefined);
  const program = build({ io, runtime: systemRuntime, out, err, say: (line) => void say(line), self });
  let called = '';
  program.hook('preAction', (_program, action) => {
    called = action.name();
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return DONE;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USE;
    if (error instanceof OutputClosed) return DONE;
    if (error instanceof QuietFailure) return FAILED;
    if (error instanceof WrongUse) {
      for (const line of error.message.split('\n')) await say(`waxwing ${called}: ${line}`);
      await say(`Type: ${self} ${usage[called] ?? '--help'}`);
      return WRONG_USE;
    }
    await say(`waxwing ${called}: ${inOneLine(error)}`);
    return FAILED;
  }
}

function build(context: Context): Command {
  const { io, self } = context;
  const program = new Command('waxwing')
    .description('Encrypted messages through a relay, with the history on the device.')
    .version(ownVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'waxwing: ')),
    })
    .showHelpAfterError(`Type: ${self} --help`);
  const local = [addHistory, addSearch, addCoverage, addSafetyNumber, addExplain, addToken];
  for (const add of [addServe, addRegister, addSend, addTail, ...local, addChat, addDoctor]) add(program, context);
  for (const command of program.commands) {
    command.showHelpAfterError(`Type: ${self} ${usage[command.name()] ?? '--help'}`);
  }
  return program;
}
