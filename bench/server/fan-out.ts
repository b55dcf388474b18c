import { handleToBytes } from '@waxwing/protocol';
import { BareDevice, WaxwingDevice } from './device.ts';
import { bodyOf, FRAME_BYTES, writeSubmit, Writer } from './frames.ts';
import { stretch, warmUp, until, type Figures } from './measure.ts';
import { MESSAGE_BYTES } from './pair.ts';
import { createPeople, handleOf } from './people.ts';
import { startBare, startWaxwing, type Kind } from './process.ts';

const RECIPIENTS = 500;
const IN_FLIGHT = 8;

/** One sender, 500 recipients online, one ciphertext that all share. The rate is that of deliveries. */
export function fanOut(kind: Kind, o: { readonly seconds: number; readonly profiles?: string }): Promise<Figures> {
  return kind === 'bare' ? bare(o) : waxwing(o);
}

async function bare({ seconds }: { readonly seconds: number }): Promise<Figures> {
  const server = await startBare();
  try {
    const recipients = Array.from({ length: RECIPIENTS }, (_, index) => new BareDevice(server.url, index + 100));
    const sender = new BareDevice(server.url, 1, `100-${99 + RECIPIENTS}`);
    await Promise.all([sender, ...recipients].map(({ open }) => open));
    const message = Buffer.alloc(MESSAGE_BYTES, 7);
    const last = recipients.at(-1);
    let isOn = true;
    if (last) {
      last.onDelivered = () => {
        if (isOn) sender.send(message);
      };
    }
    for (let count = 0; count < IN_FLIGHT; count += 1) sender.send(message);
    const came = (): number => recipients.reduce((sum, { received }) => sum + received, 0);
    await warmUp(came);
    const figures = await stretch(server, came, seconds);
    isOn = false;
    return figures;
  } finally {
    await server.end();
  }
}

async function waxwing(o: { readonly seconds: number; readonly profiles?: string }): Promise<Figures> {
  const people = await createPeople(RECIPIENTS + 1);
  const server = await startWaxwing(people.folder, o);
  try {
    const [from, ...to] = people.devices;
    if (!from) throw new Error('nobody sends');
    const recipients = to.map((as, index) => new WaxwingDevice(server.url, index + 100, as));
    const sender = new WaxwingDevice(server.url, 1, from);
    await Promise.all([sender, ...recipients].map(({ ready }) => ready));
    const handle = handleToBytes(handleOf('fan-out'));
    const body = bodyOf(from, to, Buffer.alloc(MESSAGE_BYTES, 7), { shared: true });
    let [sent, isOn] = [0, true];
    const send = (count: number): void => {
      for (let each = 0; each < count; each += 1) {
        const out = new Writer(body.length + FRAME_BYTES);
        sent += 1;
        writeSubmit(out, handle, sent, sender.accepted + 1, body);
        sender.send(out.written());
      }
    };
    sender.onAccepted = (count) => {
      if (isOn) send(count);
    };
    send(IN_FLIGHT);
    const came = (): number => recipients.reduce((sum, { delivered }) => sum + delivered, 0);
    await warmUp(came);
    const figures = await stretch(server, came, o.seconds);
    isOn = false;
    await until(() => sender.accepted === sent && came() === sent * RECIPIENTS, 'every recipient has every message');
    return figures;
  } finally {
    await server.end();
    people.remove();
  }
}
