import { decodeEnvelope, type Envelope, type Mark } from '@waxwing/protocol';
import type { DeviceKey, Storage } from '@waxwing/storage';

export type ReadEntry = { readonly number: number; readonly envelope: Envelope; readonly text: string };

const everything = { entries: 100_000, bytes: Number.MAX_SAFE_INTEGER };

/** All entries of a mailbox behind `after`, decoded. */
export async function readAll(storage: Storage, device: DeviceKey, after = 0): Promise<ReadEntry[]> {
  const { entries } = await storage.mailboxes.read(device, after, everything);
  return entries.map(({ number, envelope: bytes }) => {
    const envelope = decodeEnvelope(bytes);
    return { number, envelope, text: Buffer.from(envelope.ciphertext).toString() };
  });
}

export async function numbersIn(storage: Storage, device: DeviceKey, after = 0): Promise<number[]> {
  return (await readAll(storage, device, after)).map(({ number }) => number);
}

export async function marksIn(storage: Storage, device: DeviceKey, after = 0): Promise<readonly Mark[]> {
  return (await storage.mailboxes.read(device, after, everything)).marks;
}

/** The position that acks everything up to `number` in the mailbox's incarnation. */
export async function position(storage: Storage, device: DeviceKey, number: number) {
  const { incarnation } = await storage.mailboxes.open(device);
  return { incarnation, number };
}

export async function ackUpTo(storage: Storage, device: DeviceKey, number: number): Promise<void> {
  await storage.mailboxes.ack(device, await position(storage, device, number));
}
