import { compareSequences, parseEra, type Sequence } from '@waxwing/protocol';
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
  const newest = new Map<string, Sequence>();
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
      const last = newest.get(conversation);
      const isAhead = last === undefined || compareSequences(at, last) > 0;
      if (!isAhead && !late) o.violated(`I-10 ${device.name} was given ${text} after what follows it`);
      if (isAhead) newest.set(conversation, at);
    }
  })().catch((error: unknown) => {
    if (!(error instanceof Crashed)) o.violated(`the inbox of ${device.name}: ${String(error)}`);
  });
}
