import {
  frameKinds,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
} from '@waxwing/protocol';
import type { NewMessage } from '../../client-core/src/history/message-row.ts';
import type { Store } from '../../client-core/src/history/store.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { conversations, firstMs, shareOfLargest, spanMs } from './shape.ts';
import { makeTexts, shuffled } from './texts.ts';

const BATCH = 256;
const LATE = 1 / 10;
const ERA = parseEra(firstMs);

type Talk = {
  readonly conversation: number;
  readonly epoch: number;
  readonly parties: readonly { readonly party: number; readonly own: boolean; n: number }[];
  number: number;
};

function begin(store: Store, index: number): Talk {
  const own = store.device.get();
  if (own === undefined) throw new Error('no device');
  const peer = parseAccountId(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`);
  const { id: conversation } = store.conversations.ensureDirect(peer, firstMs);
  const handle = parseHandle(Buffer.from(sha256(`handle ${index}`)).toString('base64url'));
  const { id: epoch } = store.conversations.ensureEpoch(conversation, 2, handle);
  const party = (account: typeof peer) => store.parties.ensure({ account, device: parseDeviceId(1) }, 1);
  return {
    conversation,
    epoch,
    parties: [
      { party: party(own.account), own: true, n: 0 },
      { party: party(peer), own: false, n: 0 },
    ],
    number: 0,
  };
}

function* makeMessages(talks: readonly Talk[], count: number, random: () => number): Generator<NewMessage> {
  let timeMs = firstMs;
  let made = 0;
  for (const text of makeTexts(count, random)) {
    made += 1;
    const isLargest = random() < shareOfLargest;
    const talk = talks[isLargest ? 0 : 1 + Math.floor(random() * (talks.length - 1))];
    const sender = talk?.parties[random() < 0.5 ? 0 : 1];
    if (talk === undefined || sender === undefined) throw new Error('nobody says it');
    // One in ten comes with the one before.
    timeMs += random() < 0.1 ? Math.floor(random() * 3) : Math.floor(random() * 2 * (spanMs / count));
    talk.number += 1;
    sender.n += 1;
    yield {
      conversation: talk.conversation,
      messageId: parseMessageId(`01890000-0000-7000-8000-${made.toString(16).padStart(12, '0')}`),
      party: sender.party,
      own: sender.own,
      epoch: talk.epoch,
      sequence: { era: ERA, number: talk.number },
      n: sender.n,
      kind: frameKinds.content,
      text,
      replyTo: null,
      serverTimeMs: timeMs,
      sentAtMs: timeMs - 40,
    };
  }
}

function write(store: Store, batch: readonly NewMessage[]): void {
  store.transaction(() => {
    for (const message of batch) {
      const { epoch, party, n, sequence, own } = message;
      const hash = sha256(`${party}/${n}`);
      store.frames.insertFrame(epoch, party, n, {
        hash,
        ciphertextHash: own ? null : sha256(`cipher ${party}/${n}`),
        stands: sequence,
      });
      store.frames.insertPlace(epoch, sequence, party, n);
      store.messages.insert(message);
      const row = store.messages.find(message.messageId, party);
      if (row === undefined) throw new Error('not kept');
      store.messages.release(row);
    }
  });
}

function finish(store: Store, talks: readonly Talk[]): void {
  store.transaction(() => {
    for (const { epoch, number, parties } of talks) {
      const start = { era: ERA, number: 1 };
      const floor = { era: ERA, number };
      const eras = [{ era: ERA, held: [{ from: 1, to: number }], holes: [] }];
      store.coverage.save(epoch, { eras: [] }, { start, floor, eras }, 'lost', firstMs);
      for (const { party, n } of parties) {
        store.receipts.setReceived(epoch, store.parties.address(party).account, 'delivered', { n, except: [] });
        store.receipts.setReported(epoch, party, { n, except: [] });
      }
    }
  });
}

/** How long it took: what came in order, the rest, and the longest commit. */
export type Filled = { readonly inOrderMs: number; readonly lateMs: number; readonly longestCommitMs: number };

/**
 * Fills a device's store with a history: in order but for a tenth, which comes when all else is there, in random order.
 *
 * Each row is written by the stores that the client writes with, in transactions of 256: frame, place, message, its
 * release into history, inbox and search. Left out is what comes before that: the network, the decryption, what frames
 * say of each other, and the bookkeeping of holes. Coverage and receipts are written once, as they stand at the end.
 */
export function fillHistory(store: Store, count: number): Filled {
  const random = seededRandom(1);
  const began = performance.now();
  const talks = store.transaction(() => Array.from({ length: conversations }, (_, index) => begin(store, index)));
  const late: NewMessage[] = [];
  let batch: NewMessage[] = [];
  let longestCommitMs = 0;
  const take = (message: NewMessage): void => {
    batch.push(message);
    if (batch.length < BATCH) return;
    const from = performance.now();
    write(store, batch);
    longestCommitMs = Math.max(longestCommitMs, performance.now() - from);
    batch = [];
  };
  for (const message of makeMessages(talks, count, random)) {
    if (random() < LATE) late.push(message);
    else take(message);
  }
  const inOrderMs = performance.now() - began;
  for (const message of shuffled(late, random)) take(message);
  write(store, batch);
  finish(store, talks);
  return { inOrderMs, lateMs: performance.now() - began - inOrderMs, longestCommitMs };
}
