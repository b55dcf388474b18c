import {
  addressKey,
  decodeSubmitBody,
  deviceListHash,
  encodeFrame,
  encodeSubmitBody,
  firstPrev,
  frameKinds,
  type AccountId,
  type DeviceId,
  type Frame,
  type Handle,
  type MessageId,
  type Recipient,
  type RecipientDevice,
  type Seen,
} from '@waxwing/protocol';
import type { Overlay } from '../session/overlay.ts';
import type { Bundles } from './bundles.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import { newestSeen } from './seen.ts';

/** Builds frames and encrypts them, within a unit of work. */
export class Framing {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;

  constructor(context: SyncContext, contacts: Contacts) {
    this.#context = context;
    this.#contacts = contacts;
  }

  /** This device as a sender in the file. */
  ownParty(): number {
    const { store, local } = this.#context;
    return store.parties.ensure(local.address, this.#addedIn());
  }

  findOwnParty(): number | undefined {
    const { store, local } = this.#context;
    return store.parties.find(local.address, this.#addedIn());
  }

  /** What frames of an epoch tell that this device has seen; nothing of one that has not begun. */
  seen(epoch: number | undefined): Seen | undefined {
    return epoch === undefined ? undefined : newestSeen(this.#context.store, epoch);
  }

  /** The bytes of a sequenced frame. `prev` is the hash of the frame before, absent for the first. */
  sequenced(
    place: {
      readonly handle: Handle;
      readonly n: number;
      readonly prev: Uint8Array | undefined;
      readonly replaces: readonly Uint8Array[];
      readonly seen: Seen | undefined;
    },
    content: { messageId: MessageId; kind: number; body: Uint8Array; sentAtMs: number },
  ): Uint8Array {
    const { handle, n, prev, replaces, seen } = place;
    return encodeFrame({
      ...this.#common(content),
      place: {
        handle,
        n,
        prev: prev ?? firstPrev(handle, this.#context.local.address),
        replaces,
        ...(seen && { seen }),
      },
    });
  }

  /** The bytes of a direct frame. */
  direct(content: { messageId: MessageId; kind: number; body: Uint8Array; sentAtMs: number }): Uint8Array {
    return encodeFrame(this.#common(content));
  }

  /**
   * Encrypts a frame for every device of the account, and names the own account. Devices that `kept` has a ciphertext
   * for, under the same registration, keep it byte for byte; with `only`, other devices are left out, as a direct
   * submit may. Undefined where a session is missing and no bundle is here, and where nothing may be encrypted for one
   * of the accounts.
   */
  async body(
    overlay: Overlay,
    accounts: readonly AccountId[],
    frame: Uint8Array,
    bundles: Bundles,
    visible: boolean,
    kept: readonly Recipient[] = [],
    only?: DeviceId,
  ): Promise<Uint8Array | undefined> {
    const recipients: Recipient[] = [];
    for (const account of accounts) {
      const list = this.#contacts.list(account);
      if (list === undefined || this.#contacts.sendHold(account)) return undefined;
      const before = kept.find((recipient) => recipient.account === account)?.devices ?? [];
      const devices: RecipientDevice[] = [];
      for (const { device, registrationId } of this.#contacts.recipients(account)) {
        if (only !== undefined && device !== only) continue;
        const same = before.find((other) => other.device === device && other.registrationId === registrationId);
        const made = same ?? (await this.#encrypt(overlay, account, device, registrationId, frame, bundles));
        if (made === undefined) return undefined;
        devices.push(made);
      }
      recipients.push({ account, listVersion: list.list.version, devices });
    }
    return encodeSubmitBody({ change: false, visible, urgent: visible, recipients });
  }

  /** Whether a list, or a session with a device, is missing that a frame for the peer needs. */
  lacksKeys(peer: AccountId): boolean {
    return this.accountsOf(peer).some((account) => this.#lacks(account));
  }

  /** Sees to lists and, for devices without a session, bundles: what framing for both accounts needs from the network. */
  async prepare(peer: AccountId): Promise<Bundles | 'missing' | 'later'> {
    return this.#contacts.fetchAllBundles(this.accountsOf(peer).filter((account) => this.#lacks(account)));
  }

  #lacks(account: AccountId): boolean {
    const { store } = this.#context;
    if (!this.#contacts.list(account)) return true;
    const devices = this.#contacts.recipients(account);
    return devices.some(({ device }) => !this.#contacts.hasSession(store.crypto, { account, device }));
  }

  /** The accounts of a conversation's submit: the peer and the own account, each once. */
  accountsOf(peer: AccountId): AccountId[] {
    return [...new Set([peer, this.#context.local.address.account])];
  }

  recipientsOf(body: Uint8Array): readonly Recipient[] {
    return decodeSubmitBody(body).recipients;
  }

  async #encrypt(
    overlay: Overlay,
    account: AccountId,
    device: RecipientDevice['device'],
    registrationId: number,
    frame: Uint8Array,
    bundles: Bundles,
  ): Promise<RecipientDevice | undefined> {
    const { crypto, local, clock } = this.#context;
    const peer = this.#contacts.peer({ account, device });
    if (peer === undefined) return undefined;
    const nowMs = clock.now();
    if (!crypto.hasSession(local, overlay, peer, nowMs)) {
      const bundle = bundles.get(addressKey(peer.address));
      if (bundle === undefined) return undefined;
      const started = await crypto.startSession(local, overlay, peer, bundle, nowMs);
      if (started.type === 'refused') return undefined;
      overlay.stage(started.changes);
    }
    const encrypted = await crypto.encrypt(local, overlay, peer, frame, nowMs);
    if (encrypted.type === 'no_session') return undefined;
    overlay.stage(encrypted.changes);
    return { device, registrationId, kind: encrypted.kind, ciphertext: encrypted.ciphertext };
  }

  #common(content: { messageId: MessageId; kind: number; body: Uint8Array; sentAtMs: number }): Omit<Frame, 'place'> {
    const { signed, list } = this.#contacts.own();
    return {
      sender: this.#context.local.address,
      ...content,
      list: { version: list.version, hashPrefix: deviceListHash(signed).subarray(0, 8) },
    };
  }

  #addedIn(): number {
    return this.#contacts.device(this.#context.local.address)?.addedIn ?? 1;
  }
}

/** The kind and body of a frame that stands for a message that was taken back. */
export const voidContent = { kind: frameKinds.void, body: new Uint8Array(0) };
