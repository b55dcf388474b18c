import { compareSequences, parseEra, type MessageId } from '@waxwing/protocol';
import type { Client, InboxMessage } from '@waxwing/client-core';
import { Crashed, type SimulatedDevice } from './device.ts';

export type InboxReaderParts = {
  /** How often each message was given to the device. */
  readonly heard: Map<string, number>;
  readonly violated: (violation: string) => void;
  readonly came: (message: InboxMessage) => void;
};

/** The app's reader: each message once or marked as repeated, and in order unless it fills a hole. */
export function readInbox(device: SimulatedDevice, client: Client, o: InboxReaderParts): void {
  const given = new Map<string, readonly MessageId[]>();
  void (async () => {
    for await (const message of client.inbox()) {
      const { id, text, conversation, sequence, redelivered, late } = message;
      if (device.client !== client) return;
      const times = o.heard.get(id) ?? 0;
      if (times > 0 && !redelivered) o.violated(`${device.name} was given ${text} again, unmarked`);
      o.heard.set(id, times + 1);
      o.came(message);
      if (sequence === null) continue;
      const at = { era: parseEra(sequence.era), number: sequence.number };
      // One that was given may have moved since.
      const before = (given.get(conversation) ?? []).flatMap((one) => device.store?.messages.byId(one)?.sequence ?? []);
      const isAhead = before.every((one) => compareSequences(at, one) > 0);
      if (!isAhead && !late) o.violated(`I-10 ${device.name} was given ${text} after what follows it`);
      given.set(conversation, [...(given.get(conversation) ?? []), id]);
    }
  })().catch((error: unknown) => {
    if (!(error instanceof Crashed)) o.violated(`the inbox of ${device.name}: ${String(error)}`);
  });
}
