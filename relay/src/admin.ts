import { createServer, type Server } from 'node:http';
import { limits } from '@waxwing/protocol';
import type { Registry } from 'prom-client';

export type AdminDeps = {
  /** Whether the process should get traffic: the store can write, and nothing is draining. A rejection counts as no. */
  readonly ready: () => Promise<boolean>;
  readonly metrics: Registry;
};

type Answer = { readonly status: number; readonly type: string; readonly body: string };

/**
 * For the operator's own network only: `/livez` says that the process runs, and asks nothing else; `/readyz` that it
 * should get traffic; `/metrics` is for Prometheus. Not listening yet.
 */
export function createAdminServer(deps: AdminDeps): Server {
  const answer = async (path: string): Promise<Answer> => {
    switch (path) {
      case '/livez':
        return text(200, 'ok');
      case '/readyz':
        return (await deps.ready().catch(() => false)) ? text(200, 'ready') : text(503, 'not ready');
      case '/metrics':
        return { status: 200, type: deps.metrics.contentType, body: await deps.metrics.metrics() };
      default:
        return text(404, 'not found');
    }
  };
  return createServer(
    {
      maxHeaderSize: limits.httpHeaderMaxBytes,
      requestTimeout: limits.httpRequestTimeoutMs,
      headersTimeout: limits.httpHeadersTimeoutMs,
    },
    (request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      const asked = request.method === 'GET' ? answer(path) : Promise.resolve(text(405, 'GET only'));
      asked
        .catch(() => text(500, 'failed'))
        .then(({ status, type, body }) => {
          response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
          response.end(body);
        })
        .catch(() => response.destroy());
    },
  );
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}
