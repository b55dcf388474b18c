import type { Clock, Timers } from '@waxwing/protocol';
import { isLoopback } from '../settings/loopback.ts';
import { serverOrigin } from '../settings/values.ts';
import type { AdminFacts, ServerFacts, Silence } from './facts.ts';
import { lookAtSocket } from './look-at-socket.ts';
import { PATIENCE_MS } from './patience.ts';

const MOST_BYTES = 64 * 1_024;
const ADMIN_PORT = 7_701;

type Looking = { readonly clock: Clock; readonly timers: Timers };

type Answer = {
  readonly status: number;
  readonly location: string | null;
  readonly dateMs: number;
  readonly text: string;
};

/** Dials the server as a client does: what it says of itself, then its WebSocket. */
export async function lookAtServer(url: string, o: Looking): Promise<ServerFacts> {
  const askedMs = o.clock.now();
  const answer = await get(`${url}/.well-known/waxwing`, o).catch(silence);
  if ('type' in answer) return { url, answer };
  const { status, location, dateMs, text } = answer;
  if (location !== null) return { url, answer: { type: 'moved', to: originOf(location, url) } };
  const found = discovery(status, text);
  if (!found) return { url, answer: { type: 'foreign', status } };
  // The header has whole seconds: it is compared with the middle of what was waited.
  const aheadMs = dateMs + 500 - (askedMs + o.clock.now()) / 2;
  const adminAt = await openAdmin(url, o);
  return {
    url,
    answer: { type: 'waxwing', ...found, ...(Number.isFinite(aheadMs) && { aheadMs }) },
    socket: await lookAtSocket(url, o.timers),
    ...(adminAt !== undefined && { adminAt }),
  };
}

export async function lookAtAdmin(url: string, o: Looking): Promise<AdminFacts> {
  const answer = await get(`${url}/readyz`, o).catch(() => undefined);
  if (!answer) return { url, state: 'silent' };
  const text = answer.text.trim();
  return { url, state: text === 'ready' ? 'ready' : text === 'not ready' ? 'not_ready' : 'foreign' };
}

/** Where the admin port of the server answers to others. By this machine's own name it may. */
async function openAdmin(url: string, o: Looking): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  if (isLoopback(hostname)) return undefined;
  const ports = new Set([ADMIN_PORT, ...(port === '' ? [] : [Number(port) + 1])]);
  for (const each of ports) {
    const at = `http://${hostname}:${each}`;
    const answer = await get(`${at}/livez`, o).catch(() => undefined);
    if (answer?.status === 200 && answer.text.trim() === 'ok') return at;
  }
  return undefined;
}

/** Follows no redirect, reads no more than it must. */
async function get(url: string, { timers }: Looking): Promise<Answer> {
  const abort = new AbortController();
  const cancel = timers.after(PATIENCE_MS, () => abort.abort(new Error('timeout')));
  try {
    const response = await fetch(url, { redirect: 'manual', signal: abort.signal });
    const { status, headers } = response;
    const location = status >= 300 && status < 400 ? headers.get('location') : null;
    const text = await firstText(response);
    return { status, location, dateMs: Date.parse(headers.get('date') ?? ''), text };
  } finally {
    cancel();
    abort.abort();
  }
}

async function firstText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    const part: unknown = chunk;
    if (!(part instanceof Uint8Array)) break;
    chunks.push(part);
    bytes += part.length;
    if (bytes > MOST_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}

function discovery(status: number, text: string): { versions: readonly number[]; keys: string } | undefined {
  if (status !== 200) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('versions' in value) || !('keys' in value)) return undefined;
    const { versions, keys } = value;
    if (typeof keys !== 'string' || serverOrigin(keys) === undefined || !Array.isArray(versions)) return undefined;
    return { versions: versions.filter((version) => typeof version === 'number'), keys };
  } catch {
    return undefined;
  }
}

const silences: Readonly<Record<string, Silence>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unknown_host',
  EAI_AGAIN: 'unknown_host',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
};

function silence(error: unknown): { type: 'none'; why: Silence; detail: string } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const detail = code || (cause instanceof Error ? cause.message : String(cause));
  if (detail === 'timeout') return { type: 'none', why: 'timeout', detail };
  const isCertificate = /CERT|SSL|TLS|ALTNAME/.test(code);
  return { type: 'none', why: isCertificate ? 'certificate' : (silences[code] ?? 'failed'), detail };
}

function originOf(location: string, base: string): string {
  return URL.canParse(location, base) ? new URL(location, base).origin : location;
}
