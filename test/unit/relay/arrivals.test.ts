import { limits, parseDeviceId, systemRuntime, type Down } from '@waxwing/protocol';
import { createMemoryStorage, type ArrivedEntry, type MailboxEntry, type MailboxStore } from '@waxwing/storage';
import { expect, it } from 'vitest';
import { createDelivery } from '../../../relay/src/delivery.ts';
import { accountNumber } from '../../contract/people.ts';

const incarnation = Buffer.alloc(8, 1).toString('base64url');
const envelope = Buffer.alloc(100, 7);
const entry = (number: number, of = incarnation): ArrivedEntry => ({ number, envelope, incarnation: of });

/** A delivery whose mailbox holds what the test says, and whose wake-ups are the test's. */
function world() {
  const kept: MailboxEntry[] = [];
  const reads: number[] = [];
  const sent: Down[] = [];
  let [wake, room]: [(entry?: ArrivedEntry) => void, number] = [() => undefined, limits.socketBufferBytes];
  const mailboxes: MailboxStore = {
    ...createMemoryStorage({ runtime: systemRuntime }).mailboxes,
    read(_device, after) {
      reads.push(after);
      return Promise.resolve({ entries: kept.filter(({ number }) => number > after), marks: [] });
    },
    listen(_device, call) {
      wake = call;
      return () => undefined;
    },
  };
  const host = {
    device: { account: accountNumber(1), device: parseDeviceId(1), addedIn: 1 },
    mailboxes,
    timers: systemRuntime.timers,
    send: (down: Down) => void sent.push(down),
    channelRoom: () => room,
    onDelivered: () => undefined,
    onDrained: () => undefined,
    onStoreFault: (error: unknown) => {
      throw error;
    },
  };
  const delivery = createDelivery(host, { incarnation, restarted: false, after: 0, marks: [] });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    delivery,
    reads,
    arrives: (arrived: ArrivedEntry): void => {
      kept.push(arrived);
      wake(arrived);
    },
    wakes: (arrived?: ArrivedEntry) => wake(arrived),
    keeps: (number: number) => kept.push(entry(number)),
    setRoom: (bytes: number): void => {
      room = bytes;
    },
    numbers: () => sent.flatMap((down) => (down.type === 'deliver' ? [down.position.number] : [])),
    drained: async (): Promise<void> => {
      delivery.look();
      await settle();
      reads.length = 0;
    },
    settle,
  };
}

it('what arrives next at a device that is live is sent at once, and the mailbox is not read', async () => {
  const { arrives, drained, numbers, reads, settle } = world();
  await drained();
  arrives(entry(1));
  arrives(entry(2));
  expect(numbers()).toEqual([1, 2]);
  await settle();
  expect(reads).toEqual([]);
});

it('what arrives behind something that was not sent waits for it', async () => {
  const { arrives, drained, keeps, numbers, settle } = world();
  await drained();
  keeps(1);
  arrives(entry(2));
  expect(numbers()).toEqual([]);
  await settle();
  expect(numbers()).toEqual([1, 2]);
});

it('what arrives while the mailbox drains, or is read, is read in its turn and sent once', async () => {
  const { arrives, delivery, keeps, numbers, settle } = world();
  keeps(1);
  delivery.look();
  arrives(entry(2));
  arrives(entry(3));
  await settle();
  expect(numbers()).toEqual([1, 2, 3]);
});

it('an entry of another mailbox is never sent as one of this', async () => {
  const { drained, numbers, reads, settle, wakes } = world();
  await drained();
  wakes(entry(1, Buffer.alloc(8, 2).toString('base64url')));
  await settle();
  expect([numbers(), reads]).toEqual([[], [0]]);
});

it('an entry that was sent is not sent again when it is brought again', async () => {
  const { arrives, drained, numbers, settle, wakes } = world();
  await drained();
  arrives(entry(1));
  wakes(entry(1));
  await settle();
  expect(numbers()).toEqual([1]);
});

it('without room what arrives waits in the mailbox, and comes when there is room', async () => {
  const { arrives, delivery, drained, numbers, setRoom, settle } = world();
  await drained();
  setRoom(0);
  arrives(entry(1));
  await settle();
  expect(numbers()).toEqual([]);
  setRoom(limits.socketBufferBytes);
  delivery.resume();
  await settle();
  expect(numbers()).toEqual([1]);
});

it('what arrives after the end is not sent', async () => {
  const { delivery, drained, numbers, settle, wakes } = world();
  await drained();
  delivery.stop();
  wakes(entry(1));
  await settle();
  expect(numbers()).toEqual([]);
});
