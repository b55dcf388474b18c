import {
  addressKey,
  decodeFrame,
  frameHash,
  frameKinds,
  sameBytes,
  type MessageId,
  type Recipient,
} from '@waxwing/protocol';
import type { Attempt, FramedRow } from '../history/outbox.ts';
import type { Overlay } from '../session/overlay.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { Bundles } from './bundles.ts';
import { voidContent, type Framing } from './framing.ts';

const NO_BUNDLES: Bundles = new Map();

/** Makes the next attempts of framed messages, within a unit of work. */
export class Attempts {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;
  readonly #newId: () => MessageId;

  constructor(context: SyncContext, contacts: Contacts, framing: Framing, newId: () => MessageId) {
    this.#context = context;
    this.#contacts = contacts;
    this.#framing = framing;
    this.#newId = newId;
  }

  /**
   * The same frames against the newest lists: what a device had stays byte for byte, others are encrypted anew, and a
   * session with a device that registered anew is archived. Undefined where one of them cannot be made yet.
   */
  async next(
    overlay: Overlay,
    rows: readonly FramedRow[],
    bundles: Bundles,
  ): Promise<{ id: number; attempt: Attempt }[] | undefined> {
    const made: { id: number; attempt: Attempt }[] = [];
    const archived = new Set<string>();
    for (const row of rows) {
      const last = this.#context.store.outbox.attempt(row.id, row.attempt);
      if (last === undefined) throw new TypeError('a framed message has no attempt');
      const kept = this.#framing.recipientsOf(last.body);
      for (const recipient of kept) this.#archiveStale(overlay, recipient, archived);
      const visible = last.kind === frameKinds.content;
      const accounts = kept.map(({ account }) => account);
      const body = await this.#framing.body(overlay, accounts, last.frame, bundles, visible, kept);
      if (body === undefined) return undefined;
      made.push({ id: row.id, attempt: { attempt: row.attempt + 1, kind: last.kind, frame: last.frame, body } });
    }
    return made;
  }

  /** An attempt that stands for the row without its content: for all its recipients, or the own devices alone. */
  async standIn(overlay: Overlay, row: FramedRow, toPeer: boolean): Promise<Attempt | undefined> {
    const { store, clock, local } = this.#context;
    const attempts = store.outbox.attempts(row.id);
    const prev = attempts[0] && decodeFrame(attempts[0].frame).place?.prev;
    const replaces = distinct(attempts.map(({ frame }) => frameHash(frame)));
    const content = { ...voidContent, messageId: this.#newId(), sentAtMs: clock.now() };
    const { handle } = store.conversations.epochById(row.epoch);
    const place = { handle, n: row.n, prev, replaces, seen: this.#framing.seen(row.epoch) };
    const frame = this.#framing.sequenced(place, content);
    const peer = store.conversations.byId(row.conversation)?.peer;
    const all = peer && toPeer ? this.#framing.accountsOf(peer) : [local.address.account];
    const body = await this.#framing.body(overlay, all, frame, NO_BUNDLES, false);
    return body && { attempt: row.attempt + 1, kind: frameKinds.void, frame, body };
  }

  /** Once for each device, however many rows name it: the session that follows serves them all. */
  #archiveStale(overlay: Overlay, recipient: Recipient, archived: Set<string>): void {
    for (const listed of this.#contacts.recipients(recipient.account)) {
      const before = recipient.devices.find(({ device }) => device === listed.device);
      if (before === undefined || before.registrationId === listed.registrationId) continue;
      const address = { account: recipient.account, device: listed.device };
      if (archived.has(addressKey(address))) continue;
      archived.add(addressKey(address));
      overlay.stage(this.#context.crypto.archiveSession(overlay, address));
    }
  }
}

function distinct(hashes: readonly Uint8Array[]): Uint8Array[] {
  return hashes.filter((hash, index) => hashes.findIndex((other) => sameBytes(other, hash)) === index);
}
