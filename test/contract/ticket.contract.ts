import assert from 'node:assert/strict';
import { sha256 } from '@waxwing/protocol';
import type { Ticket } from '@waxwing/storage';
import type { Case, World } from './contract.ts';
import { accountNumber, firstList, somePrekeys } from './people.ts';

const LASTS_MS = 600_000;

function ticketOf(world: World, text: string): Ticket {
  return { hash: sha256(`ticket ${text}`), keepUntilMs: world.runtime.clock.now() + LASTS_MS };
}

function register(world: World, n: number, ticket: Ticket, more: { usernameHash?: Uint8Array } = {}) {
  const list = firstList(accountNumber(n));
  return world.storage.directory.register({ list, prekeys: somePrekeys, ticket, ...more });
}

/** A ticket lets in one account. */
export const ticketCases: readonly Case[] = [
  {
    name: 'a ticket lets in one account, also after the store was opened anew',
    async run(world) {
      const ticket = ticketOf(world, 'a');
      assert.equal(await register(world, 1, ticket), 'created');
      assert.equal(await register(world, 2, ticket), 'ticket_used');
      await world.reopen();
      assert.equal(await register(world, 2, ticket), 'ticket_used');
      assert.equal(await world.storage.directory.deviceList(accountNumber(2)), undefined);
      assert.equal(await register(world, 2, ticketOf(world, 'b')), 'created');
    },
  },
  {
    name: 'of accounts that come with one ticket at the same time one is created',
    async run(world) {
      const ticket = ticketOf(world, 'a');
      const answers = await Promise.all([1, 2, 3, 4].map((n) => register(world, n, ticket)));
      assert.deepEqual(answers.sort(), ['created', 'ticket_used', 'ticket_used', 'ticket_used']);
      const lists = await Promise.all([1, 2, 3, 4].map((n) => world.storage.directory.deviceList(accountNumber(n))));
      assert.equal(lists.filter((list) => list !== undefined).length, 1);
    },
  },
  {
    name: 'a registration that is repeated is the same, with the used ticket, another, or none',
    async run(world) {
      const ticket = ticketOf(world, 'a');
      await register(world, 1, ticket);
      assert.equal(await register(world, 1, ticket), 'same');
      assert.equal(await register(world, 1, ticketOf(world, 'b')), 'same');
      const none = { list: firstList(accountNumber(1)), prekeys: somePrekeys };
      assert.equal(await world.storage.directory.register(none), 'same');
      assert.equal(await register(world, 2, ticketOf(world, 'b')), 'created');
    },
  },
  {
    name: 'a registration that is refused uses up no ticket',
    async run(world) {
      const usernameHash = sha256('username ann');
      await register(world, 1, ticketOf(world, 'a'), { usernameHash });
      const ticket = ticketOf(world, 'b');
      assert.equal(await register(world, 2, ticket, { usernameHash }), 'username_taken');
      const other = { list: firstList(accountNumber(1), [2]), prekeys: somePrekeys, ticket };
      assert.equal(await world.storage.directory.register(other), 'account_exists');
      const twice = [1, 2].map((salt) => ({ id: 5, publicKey: sha256(`key ${salt}`) }));
      const conflicting = { ...somePrekeys, oneTimeKeys: twice };
      const list = firstList(accountNumber(2));
      assert.equal(await world.storage.directory.register({ list, prekeys: conflicting, ticket }), 'key_conflict');
      assert.equal(await register(world, 2, ticket), 'created');
    },
  },
  {
    name: 'a ticket stays used until it would be refused for its age',
    async run(world) {
      const ticket = ticketOf(world, 'a');
      await register(world, 1, ticket);
      world.runtime.advance(LASTS_MS - 1);
      assert.equal(await register(world, 2, ticket), 'ticket_used');
      await world.reopen();
      world.runtime.advance(1);
      assert.equal(await register(world, 2, ticketOf(world, 'a')), 'created');
      assert.equal(await register(world, 3, ticketOf(world, 'a')), 'ticket_used');
    },
  },
];
