import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, generateStoreKey, type HttpRequest, type SendHttp } from '@waxwing/client-core';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { issuerKey, ISSUER, keySetOf, signTicket, ticketClaims } from '../support/ticket-issuer.ts';
import { createFixture, type Fixture } from '../unit/keyserver/keyserver-fixture.ts';
import { ORIGIN } from '../unit/keyserver/person.ts';

const key = issuerKey('app');
const folder = mkdtempSync(join(tmpdir(), 'waxwing-tickets-'));
let files = 0;
let f: Fixture;
let sent: HttpRequest[];
beforeEach(async () => {
  f = await createFixture({ tickets: { issuer: ISSUER, loadKeys: () => keySetOf([key]) } });
  sent = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ticketNow = (aheadS = 0): Promise<string> => {
  const claims = ticketClaims(ORIGIN, f.runtime.clock.now() + aheadS * 1_000);
  return signTicket(key, claims);
};

/** What the keyserver answers; `lose` answers are dropped after the server gave them. */
function dial(lose: (tried: number) => boolean): SendHttp {
  return async (request) => {
    sent.push(request);
    const { method, url, headers, body } = request;
    const payload = body === undefined ? undefined : Buffer.from(body);
    const answer = await f.app.inject({ method, url, headers, ...(payload && { payload }) });
    if (lose(sent.length)) throw new Error('the answer was lost');
    const answered = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
    return { status: answer.statusCode, headers: Object.fromEntries(answered), body: answer.rawPayload };
  };
}

/** A file to register in, and how. Waiting takes no time. */
function newcomer(lose: (tried: number) => boolean = () => false) {
  const store = { path: join(folder, `${++files}.db`), key: generateStoreKey() };
  const timers = { after: (_ms: number, call: () => void) => (setImmediate(call), () => undefined) };
  const runtime = { clock: f.runtime.clock, timers, http: dial(lose) };
  return (ticket?: () => Promise<string>) =>
    createClient({ server: ORIGIN, store, runtime, ...(ticket && { ticket }) });
}

const registered = (account: Parameters<Fixture['storage']['directory']['deviceList']>[0]) =>
  f.storage.directory.deviceList(account);
const tickets = () => sent.map(({ headers }) => headers['waxwing-ticket']);
const bodies = () => new Set(sent.map(({ body }) => Buffer.from(body ?? []).toString()));

describe('a client registers by ticket', () => {
  test('which is in a header, and nowhere in the body', async () => {
    const ticket = await ticketNow();
    const client = await newcomer()(() => Promise.resolve(ticket));
    expect(await registered(client.account)).toBeDefined();
    expect(tickets()).toEqual([ticket]);
    expect([...bodies()][0]).not.toContain(ticket);
    await client.close();
  });

  test('asking for a fresh one at each try, with the same body', async () => {
    let asked = 0;
    const client = await newcomer((tried) => tried < 3)(() => {
      asked += 1;
      return ticketNow();
    });
    expect(await registered(client.account)).toBeDefined();
    expect([asked, new Set(tickets()).size, bodies().size]).toEqual([3, 3, 1]);
    await client.close();
  });

  test('and again when the server says that one is old or used', async () => {
    const used = await ticketNow();
    await (await newcomer()(() => Promise.resolve(used))).close();
    const given = [await ticketNow(-3_600), used, await ticketNow()];
    sent = [];
    const client = await newcomer()(() => Promise.resolve(given[sent.length] ?? ''));
    expect(tickets()).toEqual(given);
    expect(bodies().size).toBe(1);
    await client.close();
  });

  test('also where it was interrupted: the same account, by whatever ticket', async () => {
    const register = newcomer((tried) => tried <= 5);
    await expect(register(() => ticketNow())).rejects.toMatchObject({ code: 'unreachable' });
    const client = await register(() => ticketNow(-3_600));
    expect(await registered(client.account)).toBeDefined();
    expect([bodies().size, sent.length]).toEqual([1, 6]);
    await client.close();
  });
});

describe('a registration', () => {
  test('whose ticket is old, with no other to be had, is finished by the next createClient', async () => {
    const register = newcomer();
    const old = await ticketNow(-3_600);
    await expect(register(() => Promise.resolve(old))).rejects.toMatchObject({ code: 'no_ticket', retryable: true });
    expect(sent).toHaveLength(1);
    const client = await register(() => ticketNow());
    expect(bodies().size).toBe(1);
    await client.close();
  });

  test.each<[string, () => Promise<string>]>([
    ['fails', () => Promise.reject(new Error('signed out'))],
    ['gives nothing', () => Promise.resolve('')],
    ['gives what no header can carry', () => Promise.resolve('a\r\nb')],
  ])('by an app that %s says so, sends nothing, and can be finished', async (_what, ticket) => {
    const register = newcomer();
    await expect(register(ticket)).rejects.toMatchObject({ code: 'no_ticket', retryable: true });
    expect(sent).toHaveLength(0);
    await (await register(() => ticketNow())).close();
  });

  test.each<[string, string, () => Promise<string>]>([
    [
      'a foreign ticket',
      'ticket_rejected',
      () => signTicket(issuerKey('app'), ticketClaims(ORIGIN, f.runtime.clock.now())),
    ],
    [
      'a ticket for elsewhere',
      'ticket_rejected',
      () => signTicket(key, ticketClaims('https://x.example', f.runtime.clock.now())),
    ],
  ])('by %s is refused at once, and leaves a file in which another can succeed', async (_what, code, ticket) => {
    const register = newcomer();
    await expect(register(ticket)).rejects.toMatchObject({ code, retryable: false });
    expect(sent).toHaveLength(1);
    await (await register(() => ticketNow())).close();
  });

  test('without a ticket is refused where one is asked for', async () => {
    await expect(newcomer()()).rejects.toMatchObject({ code: 'ticket_missing' });
  });
});
