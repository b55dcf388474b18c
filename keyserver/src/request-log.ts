import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { stateOf } from './request-state.ts';

/** Names under which a secret or an identity could reach a log line. Their values are left out. */
const NAMES = [
  'account',
  'authorization',
  'body',
  'gen',
  'hash',
  'headers',
  'ip',
  'proof',
  'remoteAddress',
  'ticket',
  'token',
  'url',
  'username',
];
const redactedPaths = NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Of a request that failed for a reason which is not the caller's. */
export const REQUEST_FAILED = 'a request failed';
/** No registration by a ticket whose key is not known goes through meanwhile. */
export const TICKET_KEYS_FAILED = 'the keys of tickets could not be loaded';

const ownMessages = new Set<unknown>([REQUEST_FAILED, TICKET_KEYS_FAILED]);

/**
 * A logger under the given one that leaves out what identifies anybody, and shows of an error only its name, its code and
 * where it was thrown: messages may quote what came, so none is logged but our own.
 */
export function quietLogger(log: Logger): FastifyBaseLogger {
  return log.child(
    { part: 'keyserver' },
    {
      redact: { paths: redactedPaths, remove: true },
      serializers: { req: nothing, res: nothing, err: faultOf, error: faultOf, msg: ownMessage },
    },
  );
}

/** One line per request: route, status, code and milliseconds. */
export function addRequestLog(app: FastifyInstance, log: FastifyBaseLogger, nowMs: () => number): void {
  app.addHook('onResponse', (request, reply, done) => {
    const state = stateOf(request);
    log.info({
      route: `${request.method} ${request.routeOptions.url ?? 'unknown'}`,
      status: reply.statusCode,
      ...(state?.code !== undefined && { code: state.code }),
      ...(state && { ms: nowMs() - state.startedAtMs }),
    });
    done();
  });
}

function nothing(): undefined {
  return undefined;
}

function ownMessage(text: unknown): string {
  return typeof text === 'string' && ownMessages.has(text) ? text : 'left out';
}

function faultOf(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error };
  const code = codeOf(error) ?? codeOf(error.cause);
  const at = (error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line));
  return { name: error.name, ...(code !== undefined && { code }), at };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
