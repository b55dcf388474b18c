import { limits, type Timers } from '@waxwing/protocol';
import type { SendHttp } from './http.ts';

/**
 * HTTP over the global fetch. No redirect is followed: a token is for one origin. Rejects after `requestTimeoutMs`, body
 * included, and as soon as a body is over `httpAnswerMaxBytes`.
 */
export function createFetchHttp(timers: Timers): SendHttp {
  return async ({ method, url, headers, body }) => {
    const abort = new AbortController();
    const cancelTimeout = timers.after(limits.requestTimeoutMs, () => abort.abort(new Error('no answer in time')));
    try {
      const response = await fetch(url, {
        method,
        headers,
        redirect: 'error',
        signal: abort.signal,
        ...(body && { body: new Uint8Array(body) }),
      });
      const received = await readAll(response);
      return { status: response.status, headers: Object.fromEntries(response.headers), body: received };
    } finally {
      cancelTimeout();
    }
  };
}

async function readAll({ body }: Response): Promise<Uint8Array> {
  if (!body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const part: unknown = chunk;
    if (!(part instanceof Uint8Array)) throw new Error('a body that is not bytes');
    bytes += part.length;
    if (bytes > limits.httpAnswerMaxBytes) throw new Error('the answer is too large');
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}
