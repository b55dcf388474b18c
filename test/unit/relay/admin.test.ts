import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdminServer } from '@waxwing/relay';
import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function admin(ready: () => Promise<boolean>) {
  const metrics = new Registry();
  new Counter({ name: 'waxwing_test_total', help: 'test', registers: [metrics] }).inc(3);
  const server = createAdminServer({ ready, metrics });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
  };
}

describe('the admin server', () => {
  it('says that the process lives, whatever the store does', async () => {
    const get = await admin(() => Promise.reject(new Error('the store is away')));
    expect(await get('/livez')).toMatchObject({ status: 200 });
  });

  it('is ready only when the store can write and nothing drains', async () => {
    let answer = async (): Promise<boolean> => true;
    const get = await admin(() => answer());
    expect((await get('/readyz')).status).toBe(200);
    answer = async () => false;
    expect((await get('/readyz')).status).toBe(503);
    answer = () => Promise.reject(new Error('canary in a stack'));
    const failed = await get('/readyz');
    expect(failed.status).toBe(503);
    expect(failed.text).not.toContain('canary');
  });

  it('gives the metrics in the form that Prometheus reads', async () => {
    const get = await admin(() => Promise.resolve(true));
    const { status, text, type } = await get('/metrics');
    expect(status).toBe(200);
    expect(type).toContain('text/plain');
    expect(text).toContain('waxwing_test_total 3');
  });

  it('answers nothing else, and only GET', async () => {
    const get = await admin(() => Promise.resolve(true));
    expect((await get('/')).status).toBe(404);
    expect((await get('/livez?x=1')).status).toBe(200);
    expect((await get('/livez', { method: 'POST' })).status).toBe(405);
  });
});
