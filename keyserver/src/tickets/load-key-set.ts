import { open } from 'node:fs/promises';
import { limits, type Timers } from '@waxwing/protocol';
import type { LoadKeySet } from './key-set.ts';

/** Reads the file anew each time. */
export function keySetFile(path: string): LoadKeySet {
  return async () => {
    const file = await open(path, 'r');
    try {
      // One byte over the limit is enough to see that it is too large.
      const bytes = Buffer.alloc(limits.ticketKeySetMaxBytes + 1);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  };
}

/** Asks the URL each time, following no redirect. Rejects after `ticketKeysTimeoutMs`, body included. */
export function keySetUrl(url: string, timers: Timers): LoadKeySet {
  return async () => {
    const abort = new AbortController();
    const cancel = timers.after(limits.ticketKeysTimeoutMs, () => abort.abort(new Error('no answer in time')));
    try {
      const headers = { accept: 'application/jwk-set+json, application/json' };
      const response = await fetch(url, { headers, redirect: 'error', signal: abort.signal });
      if (response.status !== 200) throw new AnswerFault(`answered ${response.status}`);
      return await readAll(response);
    } finally {
      cancel();
      abort.abort();
    }
  };
}

async function readAll({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    const part: unknown = chunk;
    if (!(part instanceof Uint8Array)) throw new Error('a body that is not bytes');
    bytes += part.length;
    if (bytes > limits.ticketKeySetMaxBytes) throw new AnswerFault('is too large');
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

/** What came from the URL is no key set. The code says why, and is logged. */
class AnswerFault extends Error {
  readonly code: string;
  constructor(code: string) {
    super(`the answer ${code}`);
    this.name = 'AnswerFault';
    this.code = code;
  }
}
