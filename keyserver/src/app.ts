import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { limits, type Clock, type Runtime } from '@waxwing/protocol';
import type { DeviceKey, Storage } from '@waxwing/storage';
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { addressRateKey } from './address-key.ts';
import { createAuthenticate, type Authenticate } from './auth.ts';
import { answerClientError, httpServerOptions } from './http-server.ts';
import { addJsonBody } from './json-body.ts';
import type { KeysApp, KeyserverConfig, RouteDeps } from './keys-app.ts';
import { openapiOptions } from './openapi.ts';
import { refusalOf, sendRefusal } from './problem.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import { refused } from './refusal.ts';
import { addRequestLog, quietLogger, REQUEST_FAILED, TICKET_KEYS_FAILED } from './request-log.ts';
import { addRequestState, bodyOf, stateOf } from './request-state.ts';
import { addAccountRoutes } from './routes/accounts.ts';
import { addBundleRoutes } from './routes/bundles.ts';
import { addDeviceListRoutes } from './routes/device-lists.ts';
import { addDiscoveryRoutes } from './routes/discovery.ts';
import { addPrekeyRoutes } from './routes/prekeys.ts';
import { addUsernameRoutes } from './routes/usernames.ts';
import { compileSchemas } from './schema-compiler.ts';
import { createCheckTicket, type CheckTicket } from './tickets/check-ticket.ts';
import { createTicketKeys } from './tickets/ticket-keys.ts';

export type KeyserverDeps = {
  readonly storage: Pick<Storage, 'directory' | 'prekeys' | 'mailboxes'>;
  readonly runtime: Pick<Runtime, 'clock'>;
  readonly log: Logger;
  readonly config: KeyserverConfig;
  /** Called after a list without these devices is stored, and again when it is repeated: their connections must end. */
  readonly onDevicesRemoved?: (removed: readonly DeviceKey[]) => void;
};

/**
 * The keyserver as a fastify app, ready but not listening. `listen` opens its own port; in one process the relay takes the
 * `upgrade` events of `app.server`. `close` answers what is at work and refuses the rest with `unavailable`.
 *
 * A request passes these rooms, each once: rate limits, body (kept as received), token, schema, route, log line.
 */
export async function buildKeyserver(deps: KeyserverDeps): Promise<FastifyInstance> {
  const { clock } = deps.runtime;
  const log = quietLogger(deps.log);
  const app = createApp(log, deps.config);
  app.server.maxHeadersCount = limits.httpHeadersMaxCount;

  const rates = createRateLimits(clock, deps.config.rates);
  const nowMs = () => clock.now();
  addRequestState(app, nowMs);
  addRequestLog(app, log, nowMs);
  addServerDate(app, nowMs);
  refuseWhileClosing(app);
  addRateLimits(app, rates);
  addJsonBody(app);
  addProblems(app, log);
  await app.register(helmet);
  await app.register(swagger, openapiOptions);

  const { storage, config, onDevicesRemoved } = deps;
  const checkTicket = ticketCheckOf(config, clock, log);
  const routeDeps: RouteDeps = {
    storage,
    clock,
    config,
    rates,
    ...(checkTicket && { checkTicket }),
    ...(onDevicesRemoved && { onDevicesRemoved }),
  };
  const authenticate = createAuthenticate({ directory: storage.directory, clock, origins: config.origins });
  await app.register((scope, _options, done) => {
    const open = scope.withTypeProvider<TypeBoxTypeProvider>();
    addDiscoveryRoutes(open, routeDeps);
    addAccountRoutes(open, routeDeps);
    done();
  });
  await app.register((scope, _options, done) => {
    const owned = scope.withTypeProvider<TypeBoxTypeProvider>();
    requireDevice(owned, authenticate);
    addBundleRoutes(owned, routeDeps);
    addDeviceListRoutes(owned, routeDeps);
    addPrekeyRoutes(owned, routeDeps);
    addUsernameRoutes(owned, routeDeps);
    done();
  });
  await app.ready();
  return app;
}

function createApp(log: FastifyBaseLogger, config: KeyserverConfig): FastifyInstance {
  return fastify({
    ...httpServerOptions,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    return503OnClosing: false,
    trustProxy: config.trustProxy ? [...config.trustProxy] : false,
    schemaController: { compilersFactory: { buildValidator: compileSchemas } },
    // Nothing is bent to fit: a wrong type or an unknown field is refused.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => {
      const known = refusalOf(error);
      sendRefusal(reply, known?.refusal ?? refused('malformed'), known?.status);
    },
  });
}

function ticketCheckOf(
  { tickets, origins }: KeyserverConfig,
  clock: Clock,
  log: FastifyBaseLogger,
): CheckTicket | undefined {
  if (!tickets) return undefined;
  const onFailure = (error: unknown): void => log.warn({ err: error }, TICKET_KEYS_FAILED);
  const keys = createTicketKeys({ load: tickets.loadKeys, clock, onFailure });
  return createCheckTicket({ issuer: tickets.issuer, origins, keys, clock });
}

/** The server's time by its own clock: a device with a wrong one makes its token anew from it. */
function addServerDate(app: FastifyInstance, nowMs: () => number): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('date', new Date(nowMs()).toUTCString());
    done();
  });
}

function refuseWhileClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onRequest', (_request, reply, done) => {
    if (closing) sendRefusal(reply, refused('unavailable'));
    else done();
  });
}

function addRateLimits(app: FastifyInstance, rates: RateLimits): void {
  app.addHook('onRequest', (request, reply, done) => {
    const waitMs = rates.perAddress.take(addressRateKey(request.ip)) || rates.inAll.take('');
    if (waitMs > 0) sendRefusal(reply, refused('rate_limited', { retryAfterMs: waitMs }));
    else done();
  });
}

function addProblems(app: FastifyInstance, log: FastifyBaseLogger): void {
  app.setNotFoundHandler((_request, reply) => {
    sendRefusal(reply, refused('unknown_route'));
  });
  app.setErrorHandler((error, request, reply) => {
    const known = refusalOf(error);
    if (!known) log.error({ err: error, route: request.routeOptions.url ?? 'unknown' }, REQUEST_FAILED);
    sendRefusal(reply, known?.refusal ?? refused('internal'), known?.status);
  });
}

/** Every route of this scope asks for a device's token, before its schema is looked at. */
function requireDevice(scope: KeysApp, authenticate: Authenticate): void {
  scope.addHook('preValidation', async (request, reply) => {
    const caller = await authenticate({
      authorization: request.headers.authorization,
      method: request.method,
      pathAndQuery: request.originalUrl,
      body: bodyOf(request),
    });
    if (caller.type === 'refused') return sendRefusal(reply, caller);
    const state = stateOf(request);
    if (state) state.caller = caller;
    return undefined;
  });
}
