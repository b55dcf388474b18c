import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { limits, systemRuntime, type Timers } from '@waxwing/protocol';
import { afterEach, expect, test } from 'vitest';
import { createFetchHttp } from '../../../../client-core/src/transport/fetch-http.ts';

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  closes.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const http = createFetchHttp(systemRuntime.timers);
const get = (url: string) => http({ method: 'GET', url, headers: {} });

test('carries method, headers and body there, and status, headers and body back', async () => {
  const url = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(418, { 'Retry-After': '3' });
      response.end(
        `${request.method} ${request.url} ${String(request.headers['x-one'])} ${Buffer.concat(chunks).toString()}`,
      );
    });
  });
  const sent = { method: 'PUT', url: `${url}/a?b=c`, headers: { 'x-one': '1' }, body: Buffer.from('body') } as const;
  const { status, headers, body } = await http(sent);
  expect(status).toBe(418);
  expect(headers['retry-after']).toBe('3');
  expect(Buffer.from(body).toString()).toBe('PUT /a?b=c 1 body');
});

test('gives an empty body for none', async () => {
  const url = await serve((_request, response) => response.writeHead(204).end());
  expect(await get(url)).toMatchObject({ status: 204, body: new Uint8Array() });
});

test('rejects where nobody answers', async () => {
  const url = await serve((request) => request.socket.destroy());
  await expect(get(url)).rejects.toThrow();
});

test('follows no redirect', async () => {
  const asked: string[] = [];
  const url = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  await expect(get(`${url}/here`)).rejects.toThrow();
  expect(asked).toEqual(['/here']);
});

test('rejects when the time is over, before an answer and within one', async () => {
  for (const begin of [false, true]) {
    const due: (() => void)[] = [];
    const delays: number[] = [];
    let cancelled = 0;
    const timers: Timers = {
      after(delayMs, call) {
        delays.push(delayMs);
        due.push(call);
        return () => cancelled++;
      },
    };
    const url = await serve((_request, response) => {
      if (begin) response.write('begun');
      setImmediate(() => due[0]?.());
    });
    await expect(createFetchHttp(timers)({ method: 'GET', url, headers: {} })).rejects.toThrow();
    expect(delays).toEqual([limits.requestTimeoutMs]);
    expect(cancelled).toBe(1);
  }
});

test('rejects a body over the limit without reading it to its end', async () => {
  let written = 0;
  const url = await serve((_request, response) => {
    const chunk = Buffer.alloc(1_024 * 1_024);
    const more = () => {
      while (!response.destroyed) {
        written += chunk.length;
        if (!response.write(chunk)) break;
      }
    };
    response.on('drain', more);
    more();
  });
  await expect(get(url)).rejects.toThrow('too large');
  expect(written).toBeLessThan(limits.httpAnswerMaxBytes * 2);
});
