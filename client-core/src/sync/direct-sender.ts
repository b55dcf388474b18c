import {
  addressKey,
  errorRow,
  type AccountId,
  type DeviceAddress,
  type DeviceId,
  type MessageId,
} from '@waxwing/protocol';
import type { Overlay } from '../session/overlay.ts';
import type { RelayLink } from '../transport/relay-link.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { Bundles } from './bundles.ts';
import type { Framing } from './framing.ts';

const NO_BUNDLES: Bundles = new Map();

/**
 * What became of a direct frame. `refused`: never to be taken. `later`: refused for now. `lost`: the connection ended, or
 * a session could not be had; whether it was taken is not known.
 */
export type Sent = 'accepted' | 'refused' | 'later' | 'lost';

/** Sends direct frames: to all devices of an account, or one. What is not taken is not kept here. */
export class DirectSender {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;
  readonly #newId: () => MessageId;
  #link: RelayLink | undefined;

  constructor(context: SyncContext, contacts: Contacts, framing: Framing, newId: () => MessageId) {
    this.#context = context;
    this.#contacts = contacts;
    this.#framing = framing;
    this.#newId = newId;
  }

  connected(link: RelayLink): void {
    this.#link = link;
  }

  disconnected(): void {
    this.#link = undefined;
  }

  get isConnected(): boolean {
    return this.#link !== undefined;
  }

  /** `renew`: devices of the account whose sessions are set up anew first, from fresh bundles. */
  async send(
    account: AccountId,
    content: { readonly kind: number; readonly body: Uint8Array },
    o: { readonly only?: DeviceId; readonly renew?: readonly DeviceAddress[] } = {},
  ): Promise<Sent> {
    const { work, clock } = this.#context;
    const link = this.#link;
    // What cannot be said now is made anew when it is due again.
    if (link === undefined || this.#contacts.sendHold(account)) return 'lost';
    const messageId = this.#newId();
    const renew = o.renew ?? [];
    const make = (bundles: Bundles) =>
      work.run(async (overlay) => {
        const renewed: DeviceAddress[] = [];
        for (const device of renew) if (await this.#renew(overlay, device, bundles)) renewed.push(device);
        const frame = this.#framing.direct({ messageId, ...content, sentAtMs: clock.now() });
        const made = await this.#framing.body(overlay, [account], frame, bundles, false, [], o.only);
        return () => {
          for (const device of renewed) this.#context.store.repairs.renewed(device, clock.now());
          return made;
        };
      });
    const fetch = async () => (await this.#contacts.fetchBundles(account)).bundles;
    // A device that this one never wrote to needs a bundle too.
    const body =
      renew.length > 0 ? await make(await fetch()) : ((await make(NO_BUNDLES)) ?? (await make(await fetch())));
    if (body === undefined) return 'lost';
    const answer = await link.submitDirect({ messageId, attempt: 0, body });
    if (answer.type !== 'rejected') return answer.type;
    if (answer.code === 'mismatch') await this.#contacts.fetch(account);
    return errorRow(answer.code).retry === 'never' ? 'refused' : 'later';
  }

  /** The session before is archived and still reads. False where no bundle of the device is here, or it is no good one. */
  async #renew(overlay: Overlay, address: DeviceAddress, bundles: Bundles): Promise<boolean> {
    const { crypto, local, clock } = this.#context;
    const bundle = bundles.get(addressKey(address));
    const peer = this.#contacts.peer(address);
    if (bundle === undefined || peer === undefined) return false;
    const started = await crypto.startSession(local, overlay, peer, bundle, clock.now());
    if (started.type === 'refused') return false;
    overlay.stage(started.changes);
    return true;
  }
}
