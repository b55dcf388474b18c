import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  frameKinds,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
} from '@waxwing/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChangeBus } from '../../../../client-core/src/bus.ts';
import type { MessageRow } from '../../../../client-core/src/history/message-row.ts';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { markRead } from '../../../../client-core/src/mark-read.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { reaches } from '../../../../client-core/src/sync/reach.ts';
import { gaps } from '../../../../client-core/src/sync/sequencer.ts';
import { dueRead } from '../../../../client-core/src/sync/watermarks.ts';

const peer = parseAccountId('00000000-0000-4000-8000-000000000001');
const me = parseAccountId('00000000-0000-4000-8000-000000000002');
const PLACES = 24;
/** Every fourth message is an own one. */
const isOwn = (place: number): boolean => place % 4 === 0;
const nOf = (place: number): number => (isOwn(place) ? place / 4 : place - Math.floor(place / 4));
const hashOf = (place: number): Uint8Array => sha256(`frame ${place}`);

let store: Store;
beforeEach(() => {
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-marks-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
});
afterEach(() => store.close());

type Talk = { readonly conversation: number; readonly epoch: number; readonly theirs: number; readonly own: number };

let talks = 0;
function begin(): Talk {
  talks += 1;
  const account = parseAccountId(`00000000-0000-4000-8000-${(talks + 1_000).toString(16).padStart(12, '0')}`);
  return store.transaction(() => {
    const { id } = store.conversations.ensureDirect(account, 0);
    const handle = parseHandle(
      Buffer.alloc(32, talks % 256)
        .fill(talks >> 8, 0, 1)
        .toString('base64url'),
    );
    return {
      conversation: id,
      epoch: store.conversations.ensureEpoch(id, 2, handle).id,
      theirs: store.parties.ensure({ account: peer, device: parseDeviceId(1) }, 1),
      own: store.parties.ensure({ account: me, device: parseDeviceId(1) }, 1),
    };
  });
}

function place({ conversation, epoch, theirs, own }: Talk, at: number, era = 1): void {
  const party = isOwn(at) ? own : theirs;
  const sequence = { era: parseEra(era), number: at };
  const common = { epoch, party, n: nOf(at) };
  const id = Buffer.from(sha256(`${conversation} ${at}`)).toString('hex');
  const messageId = parseMessageId(`01890000-0000-7000-8000-${id.slice(0, 12)}`);
  store.transaction(() => {
    const placing = new Placing(store, 1);
    placing.place({
      ...common,
      hash: hashOf(at),
      ciphertextHash: null,
      met: { sequence },
      message: {
        ...common,
        conversation,
        messageId,
        own: isOwn(at),
        sequence,
        kind: frameKinds.content,
        text: `text ${at}`,
        replyTo: null,
        serverTimeMs: 1_000,
        sentAtMs: 1_000,
      },
    });
    placing.finish();
  });
}

function giveUp({ epoch }: Talk): void {
  store.transaction(() => {
    const placing = new Placing(store, 1);
    const open = gaps(placing.view(epoch));
    if (open.length > 0) placing.give(epoch, open, 'lost');
    placing.finish();
  });
}

const shown = ({ conversation }: Talk): MessageRow[] =>
  store.messages.pageBefore(conversation, undefined, 1_000).reverse();

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('place' as const), at: fc.integer({ min: 1, max: PLACES }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('again' as const), at: fc.integer({ min: 1, max: PLACES }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('give up' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('mark all' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('mark' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('tell' as const) }) },
);

test('unread is at any time a plain count over the history, and what is told covers what was marked and nothing else', async () => {
  const parts = { store, bus: new ChangeBus(), closing: new AbortController().signal };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const talk = begin();
      const read = new Set<string>();
      const told: Parameters<typeof reaches>[0][] = [];
      const placed = new Set<number>();
      const mark = async (upTo: MessageRow | undefined): Promise<void> => {
        const all = shown(talk);
        const end = upTo ? all.findIndex(({ messageId }) => messageId === upTo.messageId) + 1 : all.length;
        for (const { messageId } of all.slice(0, end)) read.add(messageId);
        await markRead(parts, talk.conversation, upTo?.messageId);
      };
      for (const one of steps) {
        if (one.type === 'place' && !placed.has(one.at)) place(talk, one.at);
        if (one.type === 'place') placed.add(one.at);
        // The store forgot, and the frame was given another place.
        if (one.type === 'again' && placed.has(one.at)) place(talk, one.at, 2);
        if (one.type === 'give up') giveUp(talk);
        if (one.type === 'mark all') await mark(undefined);
        const rows = shown(talk);
        if (one.type === 'mark') await mark(rows[Math.floor(one.share * (rows.length - 1))]);
        const due = store.transaction(() => dueRead(store).map(({ watermark, told: tell }) => (tell(), watermark)));
        if (one.type === 'tell' || due.length > 0) told.push(...due);
        const theirs = shown(talk).filter(({ own }) => !own);
        expect(store.readMarks.unread(talk.conversation)).toBe(
          theirs.filter(({ messageId }) => !read.has(messageId)).length,
        );
        for (const { messageId, n } of theirs) {
          expect({ n, read: told.some((reach) => reaches(reach, n)) }).toEqual({ n, read: read.has(messageId) });
        }
      }
    }),
    { numRuns: 80 },
  );
});

test('of what is told, nothing is claimed of messages that are here and not shown', async () => {
  const parts = { store, bus: new ChangeBus(), closing: new AbortController().signal };
  const talk = begin();
  for (const at of [1, 2, 5]) place(talk, at);
  await markRead(parts, talk.conversation, undefined);
  const [due] = store.transaction(() => dueRead(store));
  expect(due?.watermark).toMatchObject({ kind: 'read', n: 2, except: [], frameHash: hashOf(2) });
});

test('of two that came late, one that was not marked is not told as read', async () => {
  const parts = { store, bus: new ChangeBus(), closing: new AbortController().signal };
  const talk = begin();
  for (const at of [1, 3, 6]) place(talk, at);
  giveUp(talk);
  await markRead(parts, talk.conversation, undefined);
  store.transaction(() => dueRead(store).forEach(({ told }) => told()));
  for (const at of [2, 5]) place(talk, at);
  await markRead(parts, talk.conversation, shown(talk)[1]?.messageId);
  const [due] = dueRead(store);
  expect(due?.watermark).toMatchObject({ n: nOf(6), except: [{ from: nOf(5), to: nOf(5) }] });
});

test('a mark while a watermark is on its way is told after it', async () => {
  const parts = { store, bus: new ChangeBus(), closing: new AbortController().signal };
  const talk = begin();
  place(talk, 1);
  await markRead(parts, talk.conversation, undefined);
  const [underway] = dueRead(store);
  place(talk, 2);
  await markRead(parts, talk.conversation, undefined);
  store.transaction(() => underway?.told());
  expect(dueRead(store).map(({ watermark }) => watermark.n)).toEqual([2]);
});

test('a long backlog is marked a slice at a time, the oldest first', () => {
  const talk = begin();
  for (const at of [1, 2, 3, 5, 6]) place(talk, at);
  giveUp(talk);
  const last = shown(talk).at(-1);
  const slice = () =>
    store.transaction(() => store.readMarks.mark(talk.conversation, last?.key ?? { ms: 0, tie: 0 }, 2));
  expect([slice(), store.readMarks.unread(talk.conversation)]).toEqual([2, 3]);
  expect(dueRead(store).map(({ watermark }) => watermark.n)).toEqual([2]);
  expect([slice(), slice(), slice()]).toEqual([2, 1, 0]);
  expect(store.readMarks.unread(talk.conversation)).toBe(0);
});
