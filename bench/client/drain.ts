import type { Client } from '@waxwing/client-core';
import type { Deliver } from '@waxwing/protocol';
import { BarePerson } from './bare-session.ts';
import { createRecordingDial, type People, type RestingDevice } from './people.ts';
import { createStillRelay } from './still-relay.ts';
import { timed, type Took } from './timed.ts';

const TEXT = 'I have the keys with me, come up whenever you like';
const IN_FLIGHT = 64;

/** A device, and what waits for it. */
export type Waiting = { readonly device: RestingDevice; readonly mail: readonly Deliver[] };

/** `count` messages for one device from so many people, each of whom it knows and has answered. */
export async function prepareMail(people: People, count: number, peers: number): Promise<Waiting> {
  const { device, senders } = await people.acquaint(peers);
  const mail: Deliver[] = [];
  const recording = await people.reopen(device.path, createRecordingDial(mail));
  await recording.connect();
  const each = Math.ceil(count / peers);
  await Promise.all(senders.map((client) => say(client, device.account, each)));
  while (mail.length < each * peers) await new Promise((resolve) => setTimeout(resolve, 10));
  await recording.close();
  await Promise.all(senders.map((client) => client.close()));
  return { device, mail: mail.slice(0, count) };
}

async function say(client: Client, to: Client['account'], count: number): Promise<void> {
  const conversation = await client.direct(to);
  const under: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    if (under.length === IN_FLIGHT) await under.shift();
    under.push(conversation.send({ text: `${TEXT} ${index}` }).then((sent) => sent.reached('sent')));
  }
  await Promise.all(under);
}

/** From the connection to the end of the mailbox, all of it durable. */
export async function drain(people: People, { device, mail }: Waiting): Promise<Took> {
  const { client, path } = await people.wake(device, createStillRelay(mail, Date.now()));
  const took = await timed(() => client.connect());
  await client.close();
  people.forget({ path });
  return took;
}

/** libsignal alone, one message after the other, from as many people. */
export async function decryptBare(count: number, peers: number, bytes: number): Promise<Took> {
  const bob = new BarePerson('bob');
  const senders = await bob.meetMany(peers);
  const made: [BarePerson, Uint8Array<ArrayBuffer>][] = [];
  const plaintext = new Uint8Array(bytes);
  while (made.length < count) {
    for (const sender of senders) made.push([sender, (await sender.encrypt(bob, plaintext)).serialize()]);
  }
  return timed(async () => {
    for (const [sender, message] of made.slice(0, count)) await bob.decrypt(sender, message);
  });
}
