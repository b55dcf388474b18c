import { frameHash, frameKinds, limits, type AccountId } from '@waxwing/protocol';
import type { OutboxRow, OutboxWindow } from '../history/outbox.ts';
import type { Overlay } from '../session/overlay.ts';
import type { Bundles } from './bundles.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { DirectEpoch } from './direct-epoch.ts';
import type { Framing } from './framing.ts';
import { room } from './window.ts';

const NO_BUNDLES: Bundles = new Map();

/** A conversation that has something queued. */
export type Waiting = { readonly conversation: number; readonly peer: AccountId };

/** What was made of a conversation's queued rows: frames from `head` + 1 on. */
type Made = {
  readonly conversation: number;
  readonly epoch?: DirectEpoch;
  readonly head: number;
  readonly frames: readonly { readonly row: OutboxRow; readonly frame: Uint8Array; readonly body: Uint8Array }[];
  /** There was room, and nothing could be encrypted. */
  readonly isLacking: boolean;
};

/** Makes frames of what is queued, as the window has room for it. */
export class QueuedFraming {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;

  constructor(context: SyncContext, contacts: Contacts, framing: Framing) {
    this.#context = context;
    this.#contacts = contacts;
    this.#framing = framing;
  }

  /** The conversations that have something queued which may go, and room in the window, the longest waiting first. */
  waiting(): Waiting[] {
    const { outbox, conversations } = this.#context.store;
    const window = outbox.window();
    return outbox.waitingConversations().flatMap((conversation) => {
      const peer = conversations.byId(conversation)?.peer;
      if (peer === undefined || this.#contacts.sendHold(peer)) return [];
      return this.#room(peer, window, 0) > 0 ? [{ conversation, peer }] : [];
    });
  }

  /** Whether anything could be framed now. */
  hasRoom({ peer }: Waiting): boolean {
    return this.#room(peer, this.#context.store.outbox.window(), 0) > 0;
  }

  /**
   * Frames what these conversations have queued, all in one commit. Answers in which something was framed, and in which
   * there was room for it, but no keys.
   */
  async frame(
    waiting: readonly Waiting[],
    bundles = NO_BUNDLES,
  ): Promise<{ readonly framed: readonly number[]; readonly lacking: readonly number[] }> {
    if (waiting.length === 0) return { framed: [], lacking: [] };
    const made = await this.#context.work.run(async (overlay) => {
      const all: Made[] = [];
      let count = 0;
      for (const one of waiting) {
        const next = await this.#make(overlay, one, bundles, count);
        count += next.frames.length;
        all.push(next);
      }
      return () => {
        for (const one of all) this.#keep(one);
        return all;
      };
    });
    return {
      framed: made.filter(({ frames }) => frames.length > 0).map(({ conversation }) => conversation),
      lacking: made.filter(({ isLacking }) => isLacking).map(({ conversation }) => conversation),
    };
  }

  /** `before`: how many frames the unit of work has made already. */
  async #make(overlay: Overlay, { conversation, peer }: Waiting, bundles: Bundles, before: number): Promise<Made> {
    const { store } = this.#context;
    const epoch = this.#contacts.epoch(peer);
    if (epoch === undefined) return { conversation, head: 0, frames: [], isLacking: true };
    const { known, party, head } = this.#headOf(epoch);
    const free = this.#room(peer, store.outbox.window(), before);
    if (free === 0) return { conversation, epoch, head, frames: [], isLacking: false };
    const rows = store.outbox.queued(conversation, free);
    const seen = this.#framing.seen(known?.id);
    let prev = known && party !== undefined ? store.frames.frame(known.id, party, head)?.hash : undefined;
    const frames: { row: OutboxRow; frame: Uint8Array; body: Uint8Array }[] = [];
    for (const row of rows) {
      const { messageId, content, sentAtMs } = row;
      const place = { handle: epoch.handle, n: head + frames.length + 1, prev, replaces: [], seen };
      const frame = this.#framing.sequenced(place, { messageId, kind: frameKinds.content, body: content, sentAtMs });
      const body = await this.#framing.body(overlay, this.#framing.accountsOf(peer), frame, bundles, true);
      if (body === undefined) break;
      prev = frameHash(frame);
      frames.push({ row, frame, body });
    }
    return { conversation, epoch, head, frames, isLacking: rows.length > 0 && frames.length === 0 };
  }

  /** The epoch as it is kept, this device in it, and its highest n there. */
  #headOf(epoch: DirectEpoch | undefined) {
    const { conversations, frames } = this.#context.store;
    const known = epoch && conversations.epochByHandle(epoch.handle);
    const party = this.#framing.findOwnParty();
    return { known, party, head: known && party !== undefined ? frames.head(known.id, party) : 0 };
  }

  /** How many more frames the window takes for the peer, where so many were made that are not kept yet. */
  #room(peer: AccountId, { inAll, lowest }: OutboxWindow, before: number): number {
    const { known, head } = this.#headOf(this.#contacts.epoch(peer));
    const most = { perHandle: limits.windowPerHandle, inAll: limits.windowInAll };
    return room(most, inAll + before, known && lowest.get(known.id), head + 1);
  }

  /** Within the transaction. */
  #keep({ conversation, epoch, head, frames }: Made): void {
    if (epoch === undefined || frames.length === 0) return;
    const { store } = this.#context;
    const { id } = store.conversations.ensureEpoch(conversation, epoch.number, epoch.handle);
    for (const [index, { row, frame, body }] of frames.entries()) {
      const n = head + index + 1;
      const hash = frameHash(frame);
      store.outbox.frame(row.id, id, n, { attempt: 0, kind: frameKinds.content, frame, body });
      store.frames.insertFrame(id, this.#framing.ownParty(), n, { hash, ciphertextHash: null, stands: null });
    }
  }
}
