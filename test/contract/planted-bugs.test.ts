import assert from 'node:assert/strict';
import type { AccountId, Recipient } from '@waxwing/protocol';
import { deviceKeyText, type MailboxEntry, type Storage, type StoreLimits, type TakenKeys } from '@waxwing/storage';
import { describe, it } from 'vitest';
import { runCase, type Adapter, type World } from './contract.ts';
import { memoryAdapter } from './memory-adapter.ts';
import { sqliteAdapter } from './sqlite-adapter.ts';
import { suite } from './suite.ts';

/** A storage without one of its defences. */
type Bug = {
  readonly without: string;
  /** The same storage, with the defence undone. */
  readonly plant: (storage: Storage) => Storage;
  /** What an operator says and the storage no longer hears. */
  readonly deaf?: boolean;
  /** Cases of the suite that must turn red. */
  readonly red: readonly string[];
};

const bugs: readonly Bug[] = [
  {
    without: 'answering a known n before anything else',
    plant: (storage) =>
      withMailboxes(storage, {
        async submit(asked) {
          for (const recipient of asked.recipients) {
            if (await lacksDevices(storage, recipient, asked.sender)) return { type: 'mismatch', mismatches: [] };
          }
          return storage.mailboxes.submit(asked);
        },
      }),
    red: ['a known n is answered before the device sets are looked at'],
  },
  {
    without: 'the order of n',
    plant: (storage) =>
      withMailboxes(storage, { submit: (asked) => storage.mailboxes.submit({ ...asked, oldest: asked.n }) }),
    red: ['an n that skips one is out of order and commits nothing'],
  },
  {
    without: 'the memory of the attempt that was committed',
    plant: (storage) =>
      withMailboxes(storage, {
        async submit(asked) {
          const result = await storage.mailboxes.submit(asked);
          return result.type === 'accepted' ? { ...result, attempt: asked.attempt } : result;
        },
      }),
    red: ['another attempt of a committed n is told which attempt was committed'],
  },
  {
    without: 'the comparison of digests',
    plant: (storage) =>
      withMailboxes(storage, {
        async submit(asked) {
          const result = await storage.mailboxes.submit(asked);
          if (result.type !== 'refused' || result.code !== 'conflict') return result;
          return storage.mailboxes.submit({ ...asked, attempt: asked.attempt + 1_000 });
        },
      }),
    red: ['the same attempt with other bytes is a conflict and changes nothing'],
  },
  {
    without: 'a new era on a floor above the counter',
    plant: (storage) =>
      withMailboxes(storage, {
        submit(asked) {
          const { floor, ...rest } = asked;
          return storage.mailboxes.submit(floor ? rest : asked);
        },
      }),
    red: [
      'a floor above the counter begins an era whose predecessor is what the store counted',
      'a floor above the counter and too far ahead of now is refused and counts nothing',
      'a backup put back without a word is found out by the floor',
    ],
  },
  {
    without: 'another incarnation after a restore',
    plant: (storage) => storage,
    deaf: true,
    red: [
      'another incarnation of the store begins an era and keeps what is known of n',
      'a restored store gives every mailbox another incarnation and keeps its entries',
      'under another incarnation of the store one-time keys are dropped when first touched, and asked for anew',
    ],
  },
  {
    without: 'the incarnation in a position',
    plant: (storage) =>
      withMailboxes(storage, {
        async ack(device, { number }) {
          const { incarnation } = await storage.mailboxes.open(device);
          return storage.mailboxes.ack(device, { incarnation, number });
        },
        async open(device, committed) {
          const { incarnation } = await storage.mailboxes.open(device);
          return storage.mailboxes.open(device, committed && { incarnation, number: committed.number });
        },
      }),
    red: ['positions of another incarnation trim nothing and are answered with the mailbox’s own'],
  },
  {
    without: 'another incarnation where a device knows more than the store',
    plant: (storage) =>
      withMailboxes(storage, {
        async open(device, committed) {
          const { entries } = await storage.mailboxes.read(device, 0, { entries: 100, bytes: 100_000 });
          const number = Math.min(committed?.number ?? 0, entries.at(-1)?.number ?? 0);
          return storage.mailboxes.open(device, committed && { ...committed, number });
        },
      }),
    red: ['a backup put back without a word is found out by a position that it never gave'],
  },
  {
    without: 'marks',
    plant: (storage) =>
      withMailboxes(storage, {
        async read(device, after, max) {
          return { ...(await storage.mailboxes.read(device, after, max)), marks: [] };
        },
        async open(device, committed) {
          return { ...(await storage.mailboxes.open(device, committed)), marks: [] };
        },
      }),
    red: [
      'entries go 24 hours after their commit, read or not, and leave a mark',
      'a full mailbox takes what comes and marks the oldest as over quota',
      'one sender account fills at most a quarter, beyond that its own oldest go',
    ],
  },
  {
    without: 'expiry',
    plant: (storage) => {
      const kept = new Map<string, MailboxEntry[]>();
      return withMailboxes(storage, {
        async read(device, after, max) {
          const page = await storage.mailboxes.read(device, after, max);
          const before = kept.get(deviceKeyText(device)) ?? [];
          const entries = [
            ...before.filter((old) => !page.entries.some((e) => e.number === old.number)),
            ...page.entries,
          ];
          kept.set(deviceKeyText(device), entries);
          return { ...page, entries };
        },
      });
    },
    red: [
      'entries go 24 hours after their commit, read or not, and leave a mark',
      'direct messages expire after 24 hours and count for the quota like others',
    ],
  },
  {
    without: 'deduplication of direct messages',
    plant: (storage) => {
      let count = 0;
      return withMailboxes(storage, {
        submitDirect: (asked) =>
          storage.mailboxes.submitDirect({ ...asked, sender: { ...asked.sender, addedIn: 1_000 + count++ } }),
      });
    },
    red: ['a repeated direct message is delivered once, whatever the attempt, also after it was acked'],
  },
  {
    without: 'waking after the commit only',
    plant: (storage) => {
      const listening = new Set<() => void>();
      return withMailboxes(storage, {
        submit(asked) {
          for (const wake of listening) wake();
          return storage.mailboxes.submit(asked);
        },
        listen(device, wake) {
          listening.add(wake);
          const stop = storage.mailboxes.listen(device, wake);
          return () => {
            listening.delete(wake);
            stop();
          };
        },
      });
    },
    red: ['a listener is woken only when the entries can be read, and not after it left'],
  },
  {
    without: 'handing a one-time key out once',
    plant: (storage) => {
      const last = new Map<string, Promise<TakenKeys | undefined>>();
      return {
        ...storage,
        prekeys: {
          ...storage.prekeys,
          take(device, options) {
            const again = last.get(deviceKeyText(device));
            const taken = again ?? storage.prekeys.take(device, options);
            if (again) last.delete(deviceKeyText(device));
            else last.set(deviceKeyText(device), taken);
            return taken;
          },
        },
      };
    },
    red: ['one-time keys are handed out once each under concurrency, then the last resort'],
  },
  {
    without: 'the clone guard',
    plant: (storage) => ({
      ...storage,
      directory: {
        ...storage.directory,
        async claimGeneration(device, tokens) {
          await storage.directory.claimGeneration(device, tokens);
          return 'accepted';
        },
      },
    }),
    red: ['of two copies of a device the second to connect is told, and stores nothing'],
  },
];

describe.each([memoryAdapter, sqliteAdapter('calling')])('over $name the suite', (adapter) => {
  describe('turns red for a storage without', () => {
    for (const bug of bugs) {
      it(bug.without, async () => {
        // By what the case asserts, not by what else may go wrong in it.
        for (const name of bug.red) {
          await assert.rejects(runCase(planted(adapter, bug), caseNamed(name)), assert.AssertionError, name);
        }
      });
    }
  });

  it('stays green for a storage that is wrapped and keeps its defences', { timeout: 60_000 }, async () => {
    const sound = planted(adapter, { plant: (storage) => withMailboxes(storage, {}) });
    const names = new Set(bugs.flatMap(({ red }) => red));
    for (const name of names) await runCase(sound, caseNamed(name));
  });
});

function planted(adapter: Adapter, { plant, deaf = false }: Pick<Bug, 'plant' | 'deaf'>): Adapter {
  return {
    name: 'planted',
    async open(limits?: Partial<StoreLimits>): Promise<World> {
      const world = await adapter.open(limits);
      let storage = plant(world.storage);
      return {
        runtime: world.runtime,
        get storage() {
          return storage;
        },
        async reopen(o) {
          await world.reopen({ ...o, restored: !deaf && (o?.restored ?? false) });
          storage = plant(world.storage);
        },
        async backup() {
          const backup = await world.backup();
          storage = plant(world.storage);
          return backup;
        },
        end: () => world.end(),
      };
    },
  };
}

function caseNamed(name: string) {
  const found = Object.values(suite)
    .flat()
    .find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case is named: ${name}`);
  return found;
}

function withMailboxes(storage: Storage, changed: Partial<Storage['mailboxes']>): Storage {
  return { ...storage, mailboxes: { ...storage.mailboxes, ...changed } };
}

async function lacksDevices(
  { directory }: Storage,
  { account, devices }: Recipient,
  sender: { readonly account: AccountId; readonly device: number },
): Promise<boolean> {
  const named = new Set<number>(devices.map(({ device }) => device));
  if (account === sender.account) named.add(sender.device);
  const newest = await directory.deviceList(account);
  return newest?.list.devices.some(({ device }) => !named.has(device)) ?? false;
}
