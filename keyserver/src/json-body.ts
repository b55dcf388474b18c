import type { FastifyInstance } from 'fastify';
import { stateOf } from './request-state.ts';

/**
 * Reads JSON and nothing else, and keeps the bytes as they came: a token's `req` covers them. An empty body, and
 * `__proto__` or `constructor` as keys, are refused.
 */
export function addJsonBody(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = Buffer.from(body);
    const state = stateOf(request);
    if (state) state.body = bytes;
    void parse(request, bytes.toString(), done);
  });
}
