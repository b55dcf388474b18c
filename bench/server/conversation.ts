import { randomBytes } from 'node:crypto';
import { handleToBytes } from '@waxwing/protocol';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { BareDevice, WaxwingDevice } from './device.ts';
import { bodyOf, FRAME_BYTES, writeDirect, writeSubmit, Writer } from './frames.ts';
import { stretch, warmUp, type Figures } from './measure.ts';
import { MESSAGE_BYTES } from './pair.ts';
import { createPeople, handleOf, inPairs } from './people.ts';
import { startBare, startWaxwing, type Kind } from './process.ts';

const PAIRS = 100;
/** What a receipt is as ciphertext: a padded frame of one watermark. */
const RECEIPT_BYTES = 448;

type Talk = { readonly ready: Promise<unknown>; readonly messages: () => number; begin(): void; end(): void };

/**
 * 100 pairs that talk: a message, its receipt of delivery, its receipt of reading, then the next message. The rate is
 * that of messages, with two receipts each.
 */
export async function conversation(
  kind: Kind,
  o: { readonly seconds: number; readonly profiles?: string },
): Promise<Figures> {
  const people = kind === 'waxwing' ? await createPeople(2 * PAIRS) : undefined;
  const server = people ? await startWaxwing(people.folder, o) : await startBare();
  const talks = people
    ? inPairs(people.devices).map((two, index) => waxwing(server.url, index, two))
    : Array.from({ length: PAIRS }, (_, index) => bare(server.url, index));
  try {
    await Promise.all(talks.map(({ ready }) => ready));
    for (const talk of talks) talk.begin();
    const messages = (): number => talks.reduce((sum, talk) => sum + talk.messages(), 0);
    await warmUp(messages);
    return await stretch(server, messages, o.seconds);
  } finally {
    for (const talk of talks) talk.end();
    await server.end();
    people?.remove();
  }
}

function bare(url: string, index: number): Talk {
  const [a, b] = [2 * index + 1, 2 * index + 2];
  const [alice, bob] = [new BareDevice(url, a, `${b}`), new BareDevice(url, b, `${a}`)];
  const [message, receipt] = [Buffer.alloc(MESSAGE_BYTES, 7), Buffer.alloc(RECEIPT_BYTES, 7)];
  bob.onDelivered = () => {
    bob.send(receipt);
    bob.send(receipt);
  };
  alice.onDelivered = () => {
    if (alice.received % 2 === 0) alice.send(message);
  };
  return {
    ready: Promise.all([alice.open, bob.open]),
    messages: () => bob.received,
    begin: () => alice.send(message),
    end: () => [alice, bob].forEach((device) => device.end()),
  };
}

function waxwing(url: string, index: number, [from, to]: readonly [TestDevice, TestDevice]): Talk {
  const [alice, bob] = [new WaxwingDevice(url, 2 * index + 1, from), new WaxwingDevice(url, 2 * index + 2, to)];
  const handle = handleToBytes(handleOf(`talk ${index}`));
  const message = bodyOf(from, [to], Buffer.alloc(MESSAGE_BYTES, 7));
  const receipt = bodyOf(to, [from], Buffer.alloc(RECEIPT_BYTES, 7), { direct: true });
  let [sent, receipts] = [0, 0];
  const send = (): void => {
    const out = new Writer(message.length + FRAME_BYTES);
    sent += 1;
    writeSubmit(out, handle, sent, sent, message);
    alice.send(out.written());
  };
  bob.onDelivered = () => {
    for (let each = 0; each < 2; each += 1) {
      const out = new Writer(receipt.length + FRAME_BYTES);
      receipts += 1;
      writeDirect(out, messageId(), receipts, receipt);
      bob.send(out.written());
    }
  };
  let came = 0;
  alice.onDelivered = () => {
    came += 1;
    if (came % 2 === 0) next();
  };
  alice.onAccepted = () => next();
  const next = (): void => {
    if (alice.accepted === sent && came === 2 * sent) send();
  };
  return {
    ready: Promise.all([alice.ready, bob.ready]),
    messages: () => bob.delivered,
    begin: send,
    end: () => [alice, bob].forEach((device) => device.end()),
  };
}

/** A UUID of version 7 in form. */
function messageId(): Uint8Array {
  const id = randomBytes(16);
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x70;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return id;
}
