import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeRepairAnswer,
  encodeRepairRequest,
  encodeSubmitBody,
  frameHash,
  frameKinds,
  limits,
  parseDeviceId,
  parseEra,
  parseMessageId,
  type DeviceAddress,
  type RepairAnswer,
  type RepairRequest,
} from '@waxwing/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import type { Contacts } from '../../../../client-core/src/sync/contacts.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';
import type { DirectSender, Sent } from '../../../../client-core/src/sync/direct-sender.ts';
import type { Framing } from '../../../../client-core/src/sync/framing.ts';
import { Placing } from '../../../../client-core/src/sync/placing.ts';
import { RepairAnswerer } from '../../../../client-core/src/sync/repair-answerer.ts';
import { settle } from '../../../../client-core/src/sync/settle.ts';
import { address, alice, at, bob, carol, contentOf, frameOf, handle, handleOf } from './frames.ts';

const MINUTE_MS = 60_000;
const bobs = address('bob', 2);

let store: Store;
let answerer: RepairAnswerer;
let context: SyncContext;
let epoch: number;
let conversation: number;
let party: number;
let nowMs: number;
let sent: { readonly to: DeviceAddress; readonly answer: RepairAnswer }[];
/** What the relay says of each answer. */
let becomes: Sent;
let listed: readonly DeviceAddress[];

/** Alice's device, in a conversation with bob, who has two. */
beforeEach(() => {
  [nowMs, sent, becomes, listed] = [1_000_000, [], 'accepted', [alice, bob, bobs, carol]];
  const path = join(mkdtempSync(join(tmpdir(), 'waxwing-answerer-')), 'device.db');
  store = openStore(path, new Uint8Array(32).fill(1), { create: true });
  store.transaction(() => {
    conversation = store.conversations.ensureDirect(bob.account, 0).id;
    epoch = store.conversations.ensureEpoch(conversation, 1, handle).id;
    party = store.parties.ensure(alice, 1);
  });
  context = { store, local: { address: alice }, clock: { now: () => nowMs } } as unknown as SyncContext;
  const isListed = (one: DeviceAddress): boolean =>
    listed.some(({ account, device }) => account === one.account && device === one.device);
  const contacts = { device: (one: DeviceAddress) => (isListed(one) ? { addedIn: 1 } : undefined) };
  const sender = {
    isConnected: true,
    send(
      account: DeviceAddress['account'],
      { body }: { body: Uint8Array },
      { only }: { only: DeviceAddress['device'] },
    ) {
      sent.push({ to: { account, device: only }, answer: decodeRepairAnswer(body) });
      return Promise.resolve(becomes);
    },
  };
  answerer = new RepairAnswerer(
    context,
    contacts as unknown as Contacts,
    { findOwnParty: () => party } as unknown as Framing,
    sender as unknown as DirectSender,
  );
});
afterEach(() => store.close());

/** Own messages 1 to `count`, accepted. */
function say(count: number): void {
  store.transaction(() => {
    for (let n = 1; n <= count; n += 1) {
      // All say the same, so that a thousand are made at once.
      const frame = frameOf(alice, 1);
      store.frames.insertFrame(epoch, party, n, { hash: frameHash(frame), ciphertextHash: null, stands: at(1, n) });
      store.frames.insertPlace(epoch, at(1, n), party, n);
      store.answerable.keep(epoch, party, n, frame, 5, nowMs);
    }
  });
}

/** What a device gets for a question. */
async function ask(asker: DeviceAddress, request: Partial<RepairRequest>): Promise<readonly RepairAnswer[]> {
  sent = [];
  answerer.ask(asker, encodeRepairRequest({ handle, numbers: [], frames: [], ...request }));
  await answerer.answer();
  expect(sent.every(({ to }) => to.account === asker.account && to.device === asker.device)).toBe(true);
  return sent.map(({ answer }) => answer);
}
const numbers = (from: number, to: number) => [{ era: parseEra(1), from, to }];
const count = (answers: readonly RepairAnswer[]): number => answers.reduce((sum, { frames }) => sum + frames.length, 0);

describe('a question', () => {
  test('of a device of the conversation gets the frames, by number and by n, and how far all goes', async () => {
    say(3);
    const [byNumber, ...more] = await ask(bobs, { numbers: numbers(2, 9) });
    expect(more).toEqual([]);
    expect(byNumber).toMatchObject({ last: at(1, 3), goneNumbers: [] });
    expect(byNumber?.frames.map(({ n, sequence, serverTimeMs }) => [n, sequence, serverTimeMs])).toEqual([
      [2, at(1, 2), 5],
      [3, at(1, 3), 5],
    ]);
    const [byFrame] = await ask(bob, { frames: [{ sender: alice, from: 1, to: 1 }] });
    expect(byFrame?.frames.map(({ n, sender }) => [n, sender])).toEqual([[1, alice]]);
  });

  test('of a stranger, of no listed device, or about another conversation gets nothing', async () => {
    say(1);
    expect(await ask(carol, { numbers: numbers(1, 1) })).toEqual([]);
    listed = [alice, bob];
    expect(await ask(bobs, { numbers: numbers(1, 1) })).toEqual([]);
    expect(await ask(bob, { handle: handleOf('unknown'), numbers: numbers(1, 1) })).toEqual([]);
    answerer.ask(bob, Uint8Array.of(255));
    await answerer.answer();
    expect(sent).toEqual([]);
  });

  test('about what is kept no longer is told so', async () => {
    say(3);
    nowMs += limits.answerableMs + 1;
    store.transaction(() => {
      store.answerable.keep(epoch, party, 2, frameOf(alice, 1), 5, nowMs);
      store.answerable.prune(nowMs - limits.answerableMs, 2);
    });
    const [byNumber] = await ask(bob, { numbers: numbers(1, 9) });
    expect(byNumber?.frames).toHaveLength(1);
    const [, gone] = await ask(bob, { numbers: numbers(1, 9) });
    expect(gone?.goneNumbers).toEqual(numbers(1, 2));
    const [, goneFrames] = await ask(bob, { frames: [{ sender: alice, from: 1, to: 9 }] });
    expect(goneFrames?.goneFrames).toEqual([{ sender: alice, from: 1, to: 2 }]);
  });

  test('gets no more frames than a device may have in a minute; the rest in the next, and others are not made to wait', async () => {
    const all = limits.repairFramesPerAskerPerMinute + 10;
    say(all);
    expect(count(await ask(bob, { numbers: numbers(1, all) }))).toBe(limits.repairFramesPerAskerPerMinute);
    expect(count(await ask(bob, { numbers: numbers(all - 9, all) }))).toBe(0);
    expect(count(await ask(bobs, { numbers: numbers(all - 9, all) }))).toBe(10);
    nowMs += MINUTE_MS;
    expect(count(await ask(bob, { numbers: numbers(all - 9, all) }))).toBe(10);
  });
});

describe('a frame that was accepted as an earlier attempt', () => {
  const messageId = parseMessageId('01890000-0000-7000-8000-000000000001');
  const bodyFor = (...devices: readonly number[]) =>
    encodeSubmitBody({
      change: false,
      visible: true,
      urgent: true,
      recipients: [
        {
          account: bob.account,
          listVersion: devices.length,
          devices: devices.map((device) => ({
            device: parseDeviceId(device),
            registrationId: 1,
            kind: 'session' as const,
            ciphertext: Uint8Array.of(1),
          })),
        },
      ],
    });

  /** Made for bob's first device, and again for both; the relay has the first. */
  beforeEach(() => {
    const frame = frameOf(alice, 1);
    store.transaction(() => {
      store.outbox.queue(conversation, messageId, contentOf(1), 1);
      const id = store.outbox.byId(messageId)?.id ?? 0;
      const attempt = { kind: frameKinds.content, frame };
      store.outbox.frame(id, epoch, 1, { ...attempt, attempt: 0, body: bodyFor(1) });
      store.outbox.addAttempt(id, { ...attempt, attempt: 1, body: bodyFor(1, 2) });
      store.frames.insertFrame(epoch, party, 1, { hash: frameHash(frame), ciphertextHash: null, stands: null });
      const placing = new Placing(store, nowMs);
      const told = { request: 1, messageId, duplicate: true, n: 1, serverTimeMs: 5 };
      const accepted = { ...told, type: 'accepted', attempt: 0, sequence: at(1, 1) } as const;
      expect(settle(context, party, placing, id, accepted)).toBe(true);
      placing.finish();
    });
  });

  test('is given unasked to the device that it was not for', async () => {
    await answerer.give();
    expect(sent.map(({ to }) => to)).toEqual([bobs]);
    const given = sent[0]?.answer.frames.map(({ n, frame }) => [n, frameHash(frame)]);
    expect(given).toEqual([[1, frameHash(frameOf(alice, 1))]]);
    await answerer.give();
    expect(sent).toHaveLength(1);
  });

  test('is owed until the relay has it, and no longer where the device has gone', async () => {
    for (becomes of ['lost', 'later'] as const) await answerer.give();
    expect(sent).toHaveLength(2);
    listed = [alice, bob];
    await answerer.give();
    listed = [alice, bob, bobs];
    await answerer.give();
    expect(sent).toHaveLength(2);
  });
});
