import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { createLogger } from '@waxwing/relay';
import { limits } from '@waxwing/protocol';
import { openSqliteStorage } from '@waxwing/storage';
import type { Context } from './context.ts';
import { Failure, WrongUse } from './failure.ts';
import { startServer, type RunningServer } from './server.ts';
import { serveSettings, type ServeSettings } from './settings/serve-settings.ts';

/** The flags of `serve`, as commander gives them. */
export type ServeOptions = { readonly dev?: true; readonly restored?: true; readonly config?: string } & Readonly<
  Record<string, string | true | undefined>
>;

/** Starts, and stays until the process is told to end: the first signal drains, a second one ends it at once. */
export async function serve(context: Context, { dev, restored, config, ...rest }: ServeOptions): Promise<void> {
  const { io, out, runtime } = context;
  const flags = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  let temporary: string | undefined;
  const directory = (): string => (temporary = mkdtempSync(join(tmpdir(), 'waxwing-dev-')));
  const file = config ?? io.env.WAXWING_CONFIG;
  const settings = serveSettings({
    flags: Object.fromEntries(flags),
    env: io.env,
    ...(file !== undefined && { config: file }),
    ...(dev && { development: { directory } }),
  });
  if ('wrong' in settings) throw new WrongUse(settings.wrong.join('\n'));
  const forget = (): void => {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  };
  process.once('exit', forget);

  const log = createLogger({ level: settings.logLevel });
  await mkdir(settings.directory, { recursive: true, mode: 0o700 });
  const storage = await openSqliteStorage({
    directory: settings.directory,
    runtime,
    ...(restored && { restored }),
  });
  const server = await startServer({ settings, storage, runtime, log }).catch(async (error: unknown) => {
    await storage.close();
    throw cannotListen(error, settings);
  });
  const stopped = stopOrderly(settings, log, async () => {
    await server.drain();
    await server.close();
    await storage.close();
  });
  for (const line of greeting(context, server, settings, dev === true)) await out.line(line);
  await stopped;
}

/**
 * Signals of a fault in the process itself. A handler would be called again and again, for ever: Node itself faults at its
 * exit where its terminal was closed.
 */
const faults = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'] as const;

/** Resolves never: the process ends when the orderly stop has. */
function stopOrderly(settings: ServeSettings, log: ReturnType<typeof createLogger>, stop: () => Promise<void>) {
  const delay = limits.requestTimeoutMs + limits.closeTimeoutMs + settings.drainSpreadMs;
  return new Promise<never>(() => {
    closeWithGrace(
      { delay, logger: { error: (what: unknown) => log.error(loggable(what)) }, skip: [...faults] },
      async ({ signal, err }) => {
        if (err) log.error({ err }, 'stops after a fault');
        else log.info({ signal }, 'stops');
        await stop();
      },
    );
  });
}

function loggable(what: unknown): object {
  return what instanceof Error ? { err: what } : { msg: String(what) };
}

function cannotListen(error: unknown, { port, admin }: ServeSettings): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'EADDRINUSE') return error;
  const taken = 'port' in error && typeof error.port === 'number' ? error.port : port;
  const flag = taken === admin?.port ? '--admin-port' : '--port';
  return new Failure(`port ${taken} is taken. Take another: ${flag} ${taken + 10}`, { cause: error });
}

function greeting({ self }: Context, server: RunningServer, settings: ServeSettings, isDevelopment: boolean): string[] {
  const listens = `waxwing listens on ${server.url}`;
  const admin = server.adminUrl === undefined ? [] : [`for the operator: ${server.adminUrl}/readyz and /metrics`];
  const { directory, tickets } = settings;
  const who = tickets ? `who has a ticket of ${tickets.issuer} may register` : 'anyone who reaches it may register';
  if (!isDevelopment) return [listens, ...admin, `data in ${directory}; ${who}`];
  const ticket = tickets ? ' --ticket TICKET' : '';
  return [
    listens,
    ...admin,
    `to try out: on this machine only, ${tickets ? who : 'anyone may register'}, data in ${directory}`,
    '',
    'Next, in another terminal:',
    '',
    `  ${self} register --server ${server.url} --profile ${join(tmpdir(), 'alice')} --username alice${ticket}`,
    '',
  ];
}
