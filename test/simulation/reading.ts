import type { Client, ConversationId, InboxMessage } from '@waxwing/client-core';
import type { MessageId, Timers } from '@waxwing/protocol';
import type { MessageRow } from '../../client-core/src/history/message-row.ts';
import { reaches } from '../../client-core/src/sync/reach.ts';
import { shown } from './checker.ts';
import { Crashed, type SimulatedDevice } from './device.ts';
import type { Random } from './random.ts';
import { shownList } from './shown-list.ts';
import type { Trace } from './trace.ts';

/** How often a message that comes is looked at, how soon, and how often only it and what is before it. */
const LOOKS = 0.3;
const SOON_MS = 5_000;
const LOOKS_PART = 0.5;

/** What people mark read, and whether others are told of that and of nothing else. */
export type Reading = {
  /** A message came: the person may look at it in a while. */
  readonly came: (device: SimulatedDevice, client: Client, message: InboxMessage) => void;
  /** Everybody has seen everything. */
  readonly seeAll: () => Promise<void>;
  /**
   * What was never marked is read nowhere, ever, and what was is not forgotten. Where all was seen and heard, it is read with
   * its sender.
   */
  readonly check: (o: { readonly isAllHeard: boolean }) => string[];
};

export function createReading(o: {
  readonly people: readonly SimulatedDevice[];
  readonly random: Random;
  readonly timers: Timers;
  readonly trace: Trace;
}): Reading {
  const { people, random } = o;
  /** From the moment that a person looks: the mark may not become durable. */
  const marked = new Map<string, Set<MessageId>>(people.map(({ name }) => [name, new Set()]));
  /** From the moment that the client said so: no crash takes it back. */
  const kept = new Map<string, Set<MessageId>>(people.map(({ name }) => [name, new Set()]));
  const lost: string[] = [];

  async function look(device: SimulatedDevice, client: Client, id: ConversationId, upTo?: MessageId): Promise<void> {
    try {
      const conversation = await client.conversation(id);
      if (device.client !== client) return;
      const peer = people.find(({ account }) => account === conversation.peer);
      const { store } = device;
      const held = store?.conversations.byPeer(conversation.peer);
      const rows = store && held ? shownList(store, held.id) : [];
      const end = upTo === undefined ? rows.length : rows.findIndex(({ messageId }) => messageId === upTo) + 1;
      const seen = rows.slice(0, end).flatMap(({ own, messageId }) => (own ? [] : [messageId]));
      for (const messageId of seen) marked.get(device.name)?.add(messageId);
      o.trace.line(`${device.name} has read ${end} of ${peer?.name}`);
      await conversation.markRead(upTo);
      if (device.client === client) for (const messageId of seen) kept.get(device.name)?.add(messageId);
    } catch (error) {
      if (!(error instanceof Crashed) && device.client === client) throw error;
    }
  }

  const unreadOf = (device: SimulatedDevice): MessageRow[] =>
    people.flatMap((peer) => (peer === device ? [] : shown(device, peer).rows.filter(({ unread }) => unread)));

  function checkKept(device: SimulatedDevice): string[] {
    const forgotten = unreadOf(device).filter(({ messageId }) => kept.get(device.name)?.has(messageId));
    return forgotten.map(({ text }) => `${device.name} forgot that ${text} was read`);
  }

  function checkPair(author: SimulatedDevice, reader: SimulatedDevice, isAllHeard: boolean): string[] {
    const seen = marked.get(reader.name);
    // What came after the last look is here and unread, as it should be.
    const read = kept.get(reader.name);
    return shown(author, reader).rows.flatMap(({ own, epoch, n, messageId, text }) => {
      if (!own) return [];
      const isRead = reaches(author.store?.receipts.received(epoch, reader.account, 'read'), n);
      if (isRead && !seen?.has(messageId)) return [`${text} counts as read, and ${reader.name} never marked it`];
      if (isAllHeard && read?.has(messageId) && !isRead)
        return [`${reader.name} has read ${text}, and it does not count as read`];
      return [];
    });
  }

  return {
    came(device, client, { id, conversation }) {
      if (!random.chance(LOOKS)) return;
      const upTo = random.chance(LOOKS_PART) ? id : undefined;
      o.timers.after(random.between(0, SOON_MS), () => void look(device, client, conversation, upTo));
    },
    async seeAll() {
      for (const device of people) {
        lost.push(...checkKept(device));
        const { client } = device;
        const here = new Set(unreadOf(device).map(({ messageId }) => messageId));
        for (const { id } of client?.conversations().getSnapshot().items ?? [])
          if (client) await look(device, client, id);
        const left = unreadOf(device).filter(({ messageId }) => here.has(messageId));
        lost.push(...left.map(({ text }) => `${device.name} looked at all, and ${text} is unread`));
      }
    },
    check({ isAllHeard }) {
      const told = people.flatMap((author) =>
        people.flatMap((reader) => (author === reader ? [] : checkPair(author, reader, isAllHeard))),
      );
      return [...lost.splice(0), ...told];
    },
  };
}
