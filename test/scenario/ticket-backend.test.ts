import { createServer } from 'node:net';
import { join } from 'node:path';
import { createClient, generateStoreKey, type Client } from '@waxwing/client-core';
import { afterAll, expect, it } from 'vitest';
import { runCommand, temporaryFolder, waxwing } from '../support/cli.ts';
import { endProcesses, RunningProcess } from '../support/processes.ts';

const folder = temporaryFolder('tickets');
afterAll(async () => {
  await endProcesses();
  folder.remove();
});

/** Programs take long to start on a machine that does much else. */
const PATIENCE_MS = 180_000;

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

it(
  'two users of the example backend register with its tickets and talk; nobody else registers',
  async () => {
    const origin = `http://127.0.0.1:${await freePort()}`;
    const backend = new RunningProcess('examples/ticket-backend.ts', [origin], { PORT: '0' });
    const tickets = (await backend.line((line) => line.startsWith('tickets for'), PATIENCE_MS)).replace(/^.*: /, '');
    const server = waxwing([
      ...['serve', '--data', join(folder.path, 'data'), '--port', new URL(origin).port, '--admin-port', 'off'],
      ...['--registration', 'ticket', '--ticket-issuer', 'my-app', '--ticket-jwks', `${tickets}/jwks.json`],
    ]);
    await server.line((line) => line === `waxwing listens on ${origin}`, PATIENCE_MS);

    const given: string[] = [];
    const ticketOf = (session: string) => async (): Promise<string> => {
      const headers = { authorization: `Bearer ${session}` };
      const answer = await fetch(`${tickets}/ticket`, { method: 'POST', headers });
      if (!answer.ok) throw new Error(await answer.text());
      const ticket = await answer.text();
      given.push(ticket);
      return ticket;
    };
    const register = (name: string, ticket?: () => Promise<string>): Promise<Client> =>
      createClient({
        server: origin,
        store: { path: join(folder.path, `${name}.db`), key: generateStoreKey() },
        ...(ticket && { ticket }),
      });

    const ann = await register('ann', ticketOf('ann-is-logged-in'));
    const profile = join(folder.path, 'bob');
    const bobsTicket = await ticketOf('bob-is-logged-in')();
    const bob = await runCommand(['register', '--server', origin, '--profile', profile, '--ticket', '-'], [bobsTicket]);
    expect(bob.errors).toBe('');
    const { account } = JSON.parse(bob.lines[0] ?? '') as { account: string };

    await ann.connect();
    await (await ann.direct(account)).send({ text: 'hello' });
    const tail = await runCommand(['tail', '--profile', profile, '--count', '1']);
    expect(JSON.parse(tail.lines[0] ?? '')).toMatchObject({ from: ann.account, text: 'hello' });
    await ann.close();

    await expect(register('nobody')).rejects.toMatchObject({ code: 'ticket_missing' });
    await expect(register('stranger', ticketOf('guess'))).rejects.toMatchObject({ code: 'no_ticket' });
    await expect(register('second', () => Promise.resolve(given[0] ?? ''))).rejects.toMatchObject({
      code: 'no_ticket',
    });
    expect(given).toHaveLength(2);
  },
  PATIENCE_MS,
);
