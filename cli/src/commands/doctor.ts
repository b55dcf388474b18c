import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { Finding } from '../doctor/check.ts';
import type { Asked } from '../doctor/examine.ts';
import { QuietFailure, WrongUse } from '../failure.ts';
import { serverOrigin } from '../settings/values.ts';

type DoctorOptions = {
  readonly url?: string;
  readonly profile?: string;
  readonly config?: string;
  readonly data?: string;
  readonly admin?: string;
  readonly json?: true;
};

const DEFAULT_URL = 'http://127.0.0.1:7700';

export function addDoctor(program: Command, context: Context): void {
  program
    .command('doctor')
    .description('Names what is wrong with a setup, why it matters and how to mend it. Changes nothing.')
    .option('--url <url>', `a server, by what clients dial (that of the settings or the profile, else ${DEFAULT_URL})`)
    .option('--profile <dir>', 'the folder of a device')
    .option('--config <file>', "a server's settings, with WAXWING_* variables as for serve: on its own machine")
    .option('--data <dir>', "a server's folder, where no settings say it")
    .option('--admin <url>', "a server's admin port, where no settings say it")
    .option('--json', 'one JSON object')
    .action((options: DoctorOptions) => doctor(context, options));
}

/** Ends with 1 where something is wrong. */
async function doctor({ io, out, runtime }: Context, o: DoctorOptions): Promise<void> {
  // Loaded here alone: the settings know the libraries of a server.
  const { examine } = await import('../doctor/examine.ts');
  const { thisMachine } = await import('../doctor/surroundings.ts');
  const settings = await settingsOf(io.env, o);
  const where = { url: origin('--url', o.url), admin: origin('--admin', o.admin) };
  const isNowhere = where.url === undefined && o.profile === undefined && settings === undefined;
  const url = where.url ?? (isNowhere ? DEFAULT_URL : undefined);
  const asked: Asked = {
    ...(url !== undefined && { url }),
    ...(where.admin !== undefined && { admin: where.admin }),
    ...(o.profile !== undefined && { profile: o.profile }),
    ...(settings && { settings }),
  };
  const { findings, lookedAt } = await examine(asked, runtime, thisMachine());
  if (o.json) await out.json({ healthy: findings.length === 0, lookedAt, findings });
  else for (const line of lines(findings, lookedAt)) await out.line(line);
  if (findings.length > 0) throw new QuietFailure();
}

/** What `serve` would read here; undefined where nothing says that a server is set up on this machine. */
async function settingsOf(env: Context['io']['env'], { config, data }: DoctorOptions): Promise<Asked['settings']> {
  const isSaid = Object.keys(env).some((name) => name.startsWith('WAXWING_'));
  if (config === undefined && data === undefined && !isSaid) return undefined;
  const { serveSettings } = await import('../settings/serve-settings.ts');
  const file = config ?? env.WAXWING_CONFIG;
  return serveSettings({ flags: data === undefined ? {} : { data }, env, ...(file !== undefined && { config: file }) });
}

function origin(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const known = serverOrigin(text);
  if (known === undefined) throw new WrongUse(`${flag}: ${text} is not an origin such as ${DEFAULT_URL}`);
  return known;
}

function lines(findings: readonly Finding[], lookedAt: readonly string[]): string[] {
  const looked = `looked at: ${lookedAt.join(', ')}`;
  if (findings.length === 0) return [looked, 'nothing is wrong'];
  const said = findings.flatMap(({ check, wrong, why, mend }) => [
    '',
    `${check}: ${wrong}`,
    `  because: ${why}`,
    `  do:      ${mend}`,
  ]);
  return [looked, ...said];
}
