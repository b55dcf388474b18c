import { errorRow, ProtocolError, type ErrorCode } from '@waxwing/protocol';
import { StoreFullError } from '@waxwing/storage';
import type { FastifyRequest } from 'fastify';
import { problemJson, refused, type Outcome, type Refusal } from './refusal.ts';
import { stateOf } from './request-state.ts';

/** What problems need of a reply: any route's will do. */
export type ProblemReply = {
  readonly request: Pick<FastifyRequest, 'id'>;
  code(status: number): unknown;
  header(name: string, value: string | number): unknown;
  send(payload?: unknown): unknown;
};

/** Where no better time is known. */
const RETRY_AFTER_MS = 1_000;

/** Answers with `application/problem+json` (RFC 9457), and the headers that go with its status. */
export function sendRefusal<Reply extends ProblemReply>(reply: Reply, refusal: Refusal, status?: number): Reply {
  const problem = problemJson(refusal.code, status, refusal.detail);
  const state = stateOf(reply.request);
  if (state) state.code = refusal.code;
  reply.code(problem.status);
  reply.header('content-type', 'application/problem+json');
  reply.header('cache-control', 'no-store');
  if (problem.status === 401) reply.header('www-authenticate', schemeOf(refusal.code));
  if (errorRow(refusal.code).retry === 'retry') {
    reply.header('retry-after', Math.ceil((refusal.retryAfterMs ?? RETRY_AFTER_MS) / 1_000));
  }
  reply.send(problem);
  return reply;
}

function schemeOf(code: ErrorCode): string {
  return code === 'ticket_expired' || code === 'ticket_used' ? 'Waxwing-Ticket' : 'Bearer';
}

/** Answers with the body, or 204 where there is none, or with the refusal. */
export function sendOutcome<Reply extends ProblemReply>(reply: Reply, outcome: Outcome<unknown>, status = 200): Reply {
  if (outcome.type === 'refused') return sendRefusal(reply, outcome);
  reply.header('cache-control', 'no-store');
  reply.code(outcome.body === undefined ? 204 : status);
  reply.send(outcome.body);
  return reply;
}

type FrameworkError = {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: unknown;
  readonly validationContext?: unknown;
};

/** Errors that fastify gives before a handler runs, where neither code nor status follows from the status it names. */
const frameworkFaults: Readonly<Record<string, { code: ErrorCode; status?: number }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'too_large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'malformed', status: 415 },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'malformed', status: 414 },
  FST_ERR_HANDLER_TIMEOUT: { code: 'unavailable' },
};

/** The refusal that an error stands for, or undefined for a fault of the server. */
export function refusalOf(error: unknown): { refusal: Refusal; status?: number } | undefined {
  if (error instanceof StoreFullError) return { refusal: refused('store_full') };
  if (error instanceof ProtocolError) return { refusal: refused(error.code, { detail: partNamed(error) }) };
  if (!(error instanceof Error)) return undefined;
  const { code, statusCode, validation, validationContext }: Error & FrameworkError = error;
  if (validation !== undefined) return { refusal: refused('malformed', detailOf(validationContext, validation)) };
  const known = typeof code === 'string' ? frameworkFaults[code] : undefined;
  if (known) return { refusal: refused(known.code), ...(known.status !== undefined && { status: known.status }) };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) return { refusal: refused('malformed') };
  return undefined;
}

/** Protocol errors name a part and quote nothing. */
function partNamed(error: ProtocolError): string {
  return error.message.slice(error.code.length + 2);
}

/** Names the field by its path. Every object of a schema is closed, so a path holds the schema's own names and indices only. */
function detailOf(context: unknown, validation: unknown): { detail: string } | undefined {
  const list: unknown[] = Array.isArray(validation) ? validation : [];
  const first = list[0];
  if (typeof context !== 'string' || typeof first !== 'object' || first === null) return undefined;
  const path = 'instancePath' in first && typeof first.instancePath === 'string' ? first.instancePath : '';
  return { detail: `${context}${path}` };
}
