import { WaxwingError, type MessageTrace } from '@waxwing/client-core';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { Failure } from '../failure.ts';
import { printable } from '../printable.ts';

type ExplainOptions = { readonly profile: string; readonly json?: true };

export function addExplain(program: Command, context: Context): void {
  program
    .command('explain')
    .description('Says why a message is unsent, late or missing, and what comes next. Needs no server.')
    .argument('<id>', 'of a message, as send prints it; or of a message or a hole, as history --json does')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .option('--json', 'as one JSON line')
    .action((id: string, options: ExplainOptions) => explain(context, id, options));
}

async function explain(context: Context, id: string, o: ExplainOptions): Promise<void> {
  const { out } = context;
  await withDevice(context, o.profile, async (client) => {
    const trace = await client.explain(id).catch((error: unknown) => {
      const isUnknown = error instanceof WaxwingError && error.code === 'unknown_message';
      throw isUnknown ? new Failure(`no such message or hole on this device: ${printable(id)}`) : error;
    });
    if (o.json) await out.json(trace);
    else for (const line of linesOf(trace)) await out.line(line);
  });
}

function linesOf({ state, cause, since, nextStep, tries, nextTryAt, codes }: MessageTrace): string[] {
  const why = cause === 'none' ? '' : `: ${cause.replaceAll('_', ' ')}`;
  const next = nextTryAt === undefined ? '' : `, the next try is at ${nextTryAt}`;
  return [
    `${state} since ${since}${why}`,
    nextStep,
    ...(tries > 0 ? [`tried ${tries === 1 ? 'once' : `${tries} times`} in vain${next}`] : []),
    ...(codes.length > 0 ? [`codes: ${codes.map(printable).join(', ')}`] : []),
  ];
}
