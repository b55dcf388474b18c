import type { ErrorCode } from '@waxwing/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from './auth.ts';

/** What the hooks of one request hand on to its handler and its log line. */
export type RequestState = {
  readonly startedAtMs: number;
  /** The body as received; empty if none came. */
  body: Uint8Array;
  caller?: Caller;
  /** Of the problem that was answered. */
  code?: ErrorCode;
};

/** What hooks and handlers are given of a request, and nothing else, finds its state. */
type AnyRequest = Pick<FastifyRequest, 'id'>;

const states = new WeakMap<AnyRequest, RequestState>();

export function addRequestState(app: FastifyInstance, nowMs: () => number): void {
  app.addHook('onRequest', (request, _reply, done) => {
    states.set(request, { startedAtMs: nowMs(), body: new Uint8Array() });
    done();
  });
}

/** Undefined for a request that was refused before any hook ran. */
export function stateOf(request: AnyRequest): RequestState | undefined {
  return states.get(request);
}

export function bodyOf(request: AnyRequest): Uint8Array {
  return stateOf(request)?.body ?? new Uint8Array();
}

/** The device that asks. For routes behind a token only. */
export function callerOf(request: AnyRequest): Caller {
  const caller = stateOf(request)?.caller;
  if (!caller) throw new Error('this route does not ask for a token');
  return caller;
}
