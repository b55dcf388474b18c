import type { Deliver, Down, Envelope, SequencedEnvelope, Submit } from '@waxwing/protocol';
import { decodeEnvelope, decodeFrame, encodeEnvelope, encodeFrame, frameKinds } from '@waxwing/protocol';
import type { DirectConversation, SentMessage } from '@waxwing/client-core';
import type { ClientWorld, TestClient } from './client-world.ts';

/** The conversation of one device with another's account. */
export function talk(world: ClientWorld, from: TestClient, to: TestClient): Promise<DirectConversation> {
  return world.wait(from.client.direct(to.client.account));
}

/** Puts a text into the outbox. */
export async function say(world: ClientWorld, from: TestClient, to: TestClient, text: string): Promise<SentMessage> {
  const conversation = await talk(world, from, to);
  const sent = await conversation.send({ text });
  await world.settle();
  return sent;
}

/** The history as it is shown: texts, and holes as `[count reason]`, alerts after a `!`; own ones not sent yet end with a question mark. */
export async function shown(world: ClientWorld, at: TestClient, peer: TestClient): Promise<string[]> {
  const conversation = await talk(world, at, peer);
  return conversation
    .history({ limit: 1_000 })
    .getSnapshot()
    .items.map((item) => {
      if (item.kind === 'hole') return `[${item.count} ${item.reason}]`;
      if (item.kind === 'alert') return `!${item.what}`;
      return `${item.text ?? ''}${item.sequence === null ? '?' : ''}`;
    });
}

/** What makes a message of the relay another one, if it is an envelope that this wants. */
export function changeEnvelope<T extends Envelope>(
  wants: (envelope: Envelope) => envelope is T,
  change: (envelope: T) => Envelope,
): (message: Down) => readonly Down[] {
  return (message) => {
    if (message.type !== 'deliver') return [message];
    const envelope = decodeEnvelope(message.envelope);
    return [wants(envelope) ? { ...message, envelope: encodeEnvelope(change(envelope)) } : message];
  };
}

export function isSequenced(envelope: Envelope): envelope is SequencedEnvelope {
  return envelope.type === 'sequenced';
}

/** Whether it delivers a sequenced message of this n. */
export function deliversN(message: Down, n: number): boolean {
  if (message.type !== 'deliver') return false;
  const envelope = decodeEnvelope(message.envelope);
  return envelope.type === 'sequenced' && envelope.n === n;
}

export function alerts(device: TestClient): string[] {
  return device.events.flatMap((event) => (event.type === 'securityAlert' ? [event.what] : []));
}

/** Two devices, online, whose sessions are set up both ways by a first message each; n goes on from 2. */
export async function acquainted(world: ClientWorld): Promise<readonly [TestClient, TestClient]> {
  const [alice, bob] = [await world.online(), await world.online()];
  const first = await say(world, alice, bob, 'hi');
  await world.wait(first.reached('delivered'));
  const second = await say(world, bob, alice, 'ho');
  await world.wait(second.reached('delivered'));
  return [alice, bob];
}

/** Says these one after the other, each once the relay has the one before. */
export async function sayAll(world: ClientWorld, from: TestClient, to: TestClient, ...texts: string[]): Promise<void> {
  for (const text of texts) await world.wait((await say(world, from, to, text)).reached('sent'));
}

export const holesOf = (device: TestClient) => device.events.filter((event) => event.type === 'hole');

/** What makes a sequenced envelope another one: those of this n, or all. */
export function changeSequenced(
  change: (envelope: SequencedEnvelope) => SequencedEnvelope,
  n?: number,
): (message: Down) => readonly Down[] {
  return changeEnvelope(
    (envelope): envelope is SequencedEnvelope => isSequenced(envelope) && (n === undefined || envelope.n === n),
    change,
  );
}

/** Keeps deliveries of these n back; `release` gives one with the position that the next one would have. */
export function keepBack(device: TestClient, ...wanted: number[]): { release(n: number): void } {
  const kept = new Map<number, Deliver>();
  let last = 0;
  device.link.down = (down) => {
    if (down.type === 'deliver') last = Math.max(last, down.position.number);
    const n = wanted.find((one) => deliversN(down, one));
    if (n === undefined || down.type !== 'deliver') return [down];
    kept.set(n, down);
    return [];
  };
  return {
    release(n) {
      const down = kept.get(n);
      if (!down) throw new Error('not kept');
      last += 1;
      device.link.say({ ...down, position: { ...down.position, number: last } });
    },
  };
}

/** The submits of sequenced messages that travelled: all, or those of an n. */
export function submitsOf(device: TestClient, n?: number): Submit[] {
  return device.link.ups.filter((up): up is Submit => up.type === 'submit' && (n === undefined || up.n === n));
}

/** What a device asks others for arrives as something that has no answer. */
export function asksNobody(device: TestClient): void {
  device.alterFrame = (bytes) => {
    const frame = decodeFrame(bytes);
    if (frame.kind !== frameKinds.repairRequest) return bytes;
    return encodeFrame({ ...frame, kind: frameKinds.receipt, body: new Uint8Array(0) });
  };
}
