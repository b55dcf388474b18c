import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compareSequences,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
  type Sequence,
} from '@waxwing/protocol';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { ClaimStore } from '../../../../client-core/src/history/claims.ts';
import { ConversationStore } from '../../../../client-core/src/history/conversations.ts';
import { CoverageStore } from '../../../../client-core/src/history/coverage.ts';
import { Db } from '../../../../client-core/src/history/database.ts';
import { DeviceStore } from '../../../../client-core/src/history/device.ts';
import { FrameStore } from '../../../../client-core/src/history/frames.ts';
import { HeldStore } from '../../../../client-core/src/history/held.ts';
import type { NewMessage } from '../../../../client-core/src/history/message-row.ts';
import { MessageStore } from '../../../../client-core/src/history/messages.ts';
import { PartyStore } from '../../../../client-core/src/history/parties.ts';
import { ReceiptStore } from '../../../../client-core/src/history/receipts.ts';

const key = new Uint8Array(32).fill(1);
const account = parseAccountId('00000000-0000-4000-8000-000000000001');
const path = join(mkdtempSync(join(tmpdir(), 'waxwing-memo-')), 'device.db');
const db = Db.open(path, key, { create: true });
afterAll(() => db.close());

const stores = () => ({
  conversations: new ConversationStore(db),
  frames: new FrameStore(db),
  parties: new PartyStore(db),
  messages: new MessageStore(db),
  claims: new ClaimStore(db),
  coverage: new CoverageStore(db),
  held: new HeldStore(db),
  receipts: new ReceiptStore(db),
  device: new DeviceStore(db),
});
type Stores = ReturnType<typeof stores>;

const NS = [1, 2, 3, 4, 5];
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8];
const ERAS = [1, 2];
const address = (device: number) => ({ account, device: parseDeviceId(device) });
const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });
const hashOf = (...parts: number[]) => sha256(Uint8Array.from(parts));
const handle = (of: number) => parseHandle(Buffer.alloc(32, of).toString('base64url'));

const start = db.transaction(() => {
  const made = stores();
  const { id } = made.conversations.ensureDirect(account, 0);
  const epoch = made.conversations.ensureEpoch(id, 1, handle(1)).id;
  const parties = [1, 2].map((device) => made.parties.ensure(address(device), 1));
  db.run(
    `INSERT INTO device (id, server, account, device, registration_id, identity_key_pair, identity_public_key,
       next_prekey_id, repeated_keys_at_ms) VALUES (1, '', ?, 1, 1, ?, ?, 1, 0)`,
    account,
    key,
    key,
  );
  return { conversation: id, epoch, parties };
});
const { epoch } = start;

/** All that is remembered, as it is answered. */
function answers(of: Stores): unknown {
  const { conversations, frames, parties, messages, claims, coverage, held, device } = of;
  return {
    epochs: [1, 2, 3].map((one) => conversations.epochByHandle(handle(one))),
    parties: [1, 2, 3].map((one) => parties.find(address(one), 1)),
    frames: start.parties.map((party) => [0, ...NS, 6].map((n) => frames.frame(epoch, party, n))),
    heads: start.parties.map((party) => frames.head(epoch, party)),
    around: start.parties.map((party) =>
      ERAS.map((era) => [...NS, 6].map((n) => frames.aroundN(epoch, party, parseEra(era), n))),
    ),
    places: ERAS.map((era) => [...NUMBERS, 9].map((number) => frames.place(epoch, at(era, number)))),
    last: frames.lastPlace(epoch),
    inbox: messages.lastInbox(),
    waits: messages.isAnyWaiting(epoch),
    waiting: messages.waiting(epoch, undefined),
    headClaims: start.parties.map((party) => claims.head(epoch, party)),
    seen: NUMBERS.map((number) => claims.seenOver(epoch, parseEra(1), number)),
    chains: coverage.chainHoles(epoch),
    held: NS.map((n) => held.has(address(1), hashOf(n))),
    committed: device.committed(),
  };
}

const party = fc.constantFrom(...start.parties);
const n = fc.constantFrom(...NS);
const era = fc.constantFrom(...ERAS);
const number = fc.constantFrom(...NUMBERS);
const write = fc.oneof(
  fc.record({ type: fc.constant('frame' as const), party, n, era, number, placed: fc.boolean() }),
  fc.record({ type: fc.constantFrom('place', 'place', 'yield'), party, n, era, number }),
  fc.record({ type: fc.constantFrom('stands', 'hash', 'replaces', 'prev'), party, n, era, number }),
  fc.record({
    type: fc.constantFrom('message', 'message', 'shown', 'move', 'release', 'release'),
    party,
    n,
    era,
    number,
  }),
  fc.record({ type: fc.constantFrom('seen', 'drop seen', 'head', 'drop head'), party, n, era, number }),
  fc.record({ type: fc.constantFrom('chain', 'fill chain', 'held', 'unheld'), party, n, era, number }),
  fc.record({ type: fc.constantFrom('committed', 'follow', 'party', 'epoch'), party, n, era, number }),
);
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

/** Makes a write, where it is one that can be. */
function make(of: Stores, one: Write): void {
  const { conversations, frames, parties, messages, claims, coverage, held, receipts, device } = of;
  const sequence = at(one.era, one.number);
  const row = new FrameStore(db).frame(epoch, one.party, one.n);
  const there = new FrameStore(db).place(epoch, sequence);
  const taken = there !== undefined;
  const hash = hashOf(one.party, one.n, one.number);
  switch (one.type) {
    case 'frame': {
      const placed = 'placed' in one && one.placed && !taken;
      if (row) return;
      if (placed) frames.insertPlace(epoch, sequence, one.party, one.n);
      frames.insertFrame(epoch, one.party, one.n, {
        hash,
        ciphertextHash: null,
        stands: placed ? sequence : null,
        ...(one.number > 4 && { prev: hash }),
        replaces: one.number > 6 ? [hash] : [],
      });
      return;
    }
    case 'place':
      if (!row || taken) return;
      frames.insertPlace(epoch, sequence, one.party, one.n);
      if (!row.stands) frames.setStands(epoch, one.party, one.n, sequence);
      return;
    case 'yield': {
      const stands = there && new FrameStore(db).frame(epoch, there.party, there.n)?.stands;
      if (there && stands && compareSequences(stands, sequence) !== 0) frames.removePlace(epoch, sequence);
      return;
    }
    case 'stands':
      if (row?.stands) frames.setStands(epoch, one.party, one.n, sequence);
      return;
    case 'hash': {
      frames.setHash(epoch, one.party, one.n, hash);
      return;
    }
    case 'replaces': {
      frames.addReplaces(epoch, one.party, one.n, { hash });
      return;
    }
    case 'prev': {
      frames.clearPrev(epoch, one.party, one.n);
      return;
    }
    case 'message':
    case 'shown': {
      if (messages.byPlace(epoch, sequence)) return;
      const message = messageAt(one.party, one.n, sequence);
      if (one.type === 'message') messages.insert(message);
      else messages.insertShown(message);
      return;
    }
    case 'move': {
      const there = messages.find(idOf(one.n), one.party);
      if (there && !messages.byPlace(epoch, sequence)) messages.move(there, sequence);
      return;
    }
    case 'release': {
      const [first] = messages.waiting(epoch, undefined);
      if (first) messages.release(first);
      return;
    }
    case 'seen': {
      claims.keepSeen(epoch, { party: one.party, era: parseEra(1), from: one.n, to: one.n + 1, hash });
      return;
    }
    case 'drop seen': {
      claims.dropSeen(epoch, { party: one.party, era: parseEra(1), from: one.n, to: one.n + 1, hash });
      return;
    }
    case 'head': {
      claims.keepHead(epoch, one.party, { n: one.n, hash });
      return;
    }
    case 'drop head': {
      claims.dropHead(epoch, one.party);
      return;
    }
    case 'chain': {
      coverage.addChainHole(
        epoch,
        { party: one.party, fromN: one.n, toN: one.n + 1, before: sequence, reason: 'lost' },
        0,
      );
      return;
    }
    case 'fill chain':
      coverage.fillChainHole(epoch, one.party, one.n);
      return;
    case 'held': {
      held.keep(address(1), 'undecryptable', hashOf(one.n), hash, one.number);
      return;
    }
    case 'unheld': {
      if (one.era === 1) held.remove(one.n);
      else held.age(one.number);
      return;
    }
    case 'committed': {
      device.setCommitted({ incarnation: Buffer.alloc(8, one.era).toString('base64url'), number: one.number });
      return;
    }
    case 'follow': {
      receipts.follow(epoch, one.party);
      return;
    }
    case 'party':
      parties.ensure(address(3), 1);
      return;
    case 'epoch':
      conversations.ensureEpoch(start.conversation, one.n, handle(one.era + 1));
  }
}

const idOf = (of: number) => parseMessageId(`00000000-0000-7000-8000-00000000000${of}`);

function messageAt(by: number, of: number, sequence: Sequence): NewMessage {
  return {
    conversation: start.conversation,
    messageId: idOf(of),
    party: by,
    own: by === start.parties[1],
    epoch,
    sequence,
    n: of,
    kind: 1,
    text: `text ${of}`,
    replyTo: null,
    serverTimeMs: sequence.number * 10,
    sentAtMs: 0,
  };
}

/** Every run begins with the same file. */
function empty(): void {
  const filled = ['place', 'message', 'frame', 'seen_claim', 'head_claim', 'chain_hole', 'held', 'reported'];
  for (const table of filled) db.run(`DELETE FROM ${table}`);
  db.run(`INSERT INTO search (search) VALUES ('rebuild')`);
  db.run('DELETE FROM epoch WHERE id <> ?', epoch);
  db.run('DELETE FROM party WHERE device = 3');
  db.run('UPDATE device SET mailbox_incarnation = NULL');
}

class Undone extends Error {}

test('what is remembered of the file is what a new reader finds, whatever was written, and rolled back', () => {
  const unit = fc.record({ writes: fc.array(write, { minLength: 3, maxLength: 5 }), undone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(unit, { minLength: 10, maxLength: 12 }), (units) => {
      empty();
      const warm = stores();
      for (const { writes, undone } of units) {
        try {
          db.transaction(() => {
            for (const one of writes) make(warm, one);
            // It reads, and remembers, what may be undone.
            answers(warm);
            if (undone) throw new Undone();
          });
        } catch (error) {
          if (!(error instanceof Undone)) throw error;
        }
        expect(answers(warm)).toEqual(answers(stores()));
      }
    }),
    { numRuns: 20 },
  );
});
