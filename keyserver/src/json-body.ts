import type { FastifyInstance } from 'fastify';
import { ProtocolError } from '@waxwing/protocol';
import { stateOf } from './request-state.ts';

/**
 * Reads JSON and nothing else, and keeps the bytes as they came: a token's `req` covers them. `__proto__` and
 * `constructor` as keys, invalid UTF-8 and an empty body are refused.
 */
export function addJsonBody(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
    const state = stateOf(request);
    if (state) state.body = bytes;
    const text = decodeUtf8(bytes);
    if (text === undefined) done(new ProtocolError('malformed', 'body'));
    else void parse(request, text, done);
  });
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
