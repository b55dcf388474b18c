import type { SentMessage } from '@waxwing/client-core';
import { BarePerson } from './bare-session.ts';
import type { People } from './people.ts';
import { createStillRelay } from './still-relay.ts';
import { timed, type Took } from './timed.ts';

const TEXT = 'I have the keys with me, come up whenever you like';
const CONVERSATIONS = 10;
const IN_FLIGHT = 100;

/** A device at rest that has ten conversations, and with whom. */
export async function prepareSends(people: People) {
  const { device, senders } = await people.acquaint(CONVERSATIONS);
  await Promise.all(senders.map((client) => client.close()));
  return { device, peers: senders.map(({ account }) => account) };
}

/** So many messages, in turn to each; a hundred under way, and awaited one by one until the relay has them. */
export async function send(
  people: People,
  { device, peers }: Awaited<ReturnType<typeof prepareSends>>,
  count: number,
): Promise<Took> {
  const { client, path } = await people.wake(device, createStillRelay([], Date.now()));
  await client.connect();
  const conversations = await Promise.all(peers.map((peer) => client.direct(peer)));
  const took = await timed(async () => {
    const under: Promise<SentMessage>[] = [];
    for (let index = 0; index < count; index += 1) {
      if (under.length === IN_FLIGHT) await (await under.shift())?.reached('sent');
      const conversation = conversations[index % conversations.length];
      if (conversation) under.push(conversation.send({ text: `${TEXT} ${index}` }));
    }
    for (const sent of under) await (await sent).reached('sent');
  });
  await client.close();
  people.forget({ path });
  return took;
}

/** libsignal alone, one message after the other, to as many people. */
export async function encryptBare(count: number, bytes: number): Promise<Took> {
  const bob = new BarePerson('bob');
  const others = await bob.meetMany(CONVERSATIONS);
  const plaintext = new Uint8Array(bytes);
  return timed(async () => {
    for (let index = 0; index < count; index += 1) {
      const other = others[index % others.length];
      if (other) (await bob.encrypt(other, plaintext)).serialize();
    }
  });
}
