import {
  decodeHeads,
  encodeHeads,
  frameKinds,
  limits,
  randomFraction,
  type AccountId,
  type Frame,
  type Handle,
  type HeadsClaim,
} from '@waxwing/protocol';
import type { RelayLink } from '../transport/relay-link.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { DirectSender } from './direct-sender.ts';
import type { Framing } from './framing.ts';
import type { Placing } from './placing.ts';
import { reaches } from './reach.ts';
import { newestSeen } from './seen.ts';
import { tellFull } from './told.ts';
import { unlessMalformed } from './unless-malformed.ts';

/**
 * What shows that the newest messages of a conversation are withheld, when a person opens it: the relay is asked how far
 * it counts, and the other side is told what this device has sent and seen.
 *
 *     opened ──live──▶ relay asked, at most once a minute ──a while──▶ other side told, at most once in ten minutes
 */
export class Heads {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;
  readonly #sender: DirectSender;
  readonly #ask: (handles: readonly Handle[]) => void;
  /** Conversations that were opened, until the relay was asked. */
  readonly #opened = new Set<number>();
  readonly #askedAtMs = new Map<number, number>();
  /** Conversations to tell of, and what stops the wait. */
  readonly #waiting = new Map<number, () => void>();
  #link: RelayLink | undefined;
  readonly #telling = new Set<Promise<void>>();

  /** `ask` asks the relay for the heads of handles. */
  constructor(
    context: SyncContext,
    parts: { readonly contacts: Contacts; readonly framing: Framing; readonly sender: DirectSender },
    ask: (handles: readonly Handle[]) => void,
  ) {
    this.#context = context;
    this.#contacts = parts.contacts;
    this.#framing = parts.framing;
    this.#sender = parts.sender;
    this.#ask = ask;
  }

  /** A person looks at a conversation. */
  opened(conversation: number): void {
    this.#opened.add(conversation);
    if (this.#link) this.#look();
  }

  /** Connected, and the mailbox is read: what does not come now is withheld or lost. */
  live(link: RelayLink): void {
    this.#link = link;
    this.#look();
  }

  disconnected(): void {
    this.#link = undefined;
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  async stop(): Promise<void> {
    this.disconnected();
    await Promise.all(this.#telling);
  }

  /** Takes in what a device says that it holds, within a transaction. */
  take(frame: Frame, placing: Placing): void {
    const { store, local } = this.#context;
    const claim = frame.kind === frameKinds.heads ? unlessMalformed(() => decodeHeads(frame.body)) : undefined;
    const epoch = claim && store.conversations.epochByHandle(claim.handle);
    const device = this.#contacts.device(frame.sender);
    if (!claim || !epoch || !device) return;
    const { account } = frame.sender;
    if (account !== local.address.account && account !== store.conversations.byId(epoch.conversation)?.peer) return;
    const { floor } = placing.view(epoch.id);
    if (floor === undefined) return;
    const party = store.parties.ensure(frame.sender, device.addedIn);
    if (claim.seen) placing.witness.claimsSeen(epoch.id, party, claim.seen, floor);
    if (claim.head === undefined) return;
    placing.witness.claimsHead(epoch.id, party, claim.head.n, claim.head.frameHash, floor);
    placing.sentUpTo(epoch.id, party, claim.head.n);
  }

  #look(): void {
    const { store, clock, timers, randomBytes } = this.#context;
    for (const conversation of this.#opened) {
      this.#opened.delete(conversation);
      const last = this.#askedAtMs.get(conversation);
      if (last !== undefined && Math.abs(clock.now() - last) < limits.headsAskedEveryMs) continue;
      this.#askedAtMs.set(conversation, clock.now());
      this.#ask(store.conversations.epochs(conversation).map(({ handle }) => handle));
      if (this.#waiting.has(conversation)) continue;
      const spread = limits.receiptDelayMaxMs - limits.receiptDelayMinMs;
      const cancel = timers.after(limits.receiptDelayMaxMs + spread * randomFraction(randomBytes), () => {
        this.#waiting.delete(conversation);
        const telling = this.#tell(conversation).finally(() => this.#telling.delete(telling));
        this.#telling.add(telling);
      });
      this.#waiting.set(conversation, cancel);
    }
  }

  async #tell(conversation: number): Promise<void> {
    const { store, clock } = this.#context;
    try {
      const nowMs = clock.now();
      const peer = store.conversations.byId(conversation)?.peer;
      const claim = peer && this.#claim(peer);
      if (peer === undefined || claim === undefined) return;
      if (Math.abs(nowMs - store.conversations.toldAtMs(conversation)) < limits.headsToldEveryMs) return;
      const sent = await this.#sender.send(peer, { kind: frameKinds.heads, body: encodeHeads(claim) });
      if (sent === 'accepted') store.transaction(() => store.conversations.setTold(conversation, nowMs));
    } catch (error) {
      tellFull(this.#context, error);
    }
  }

  /**
   * What this device holds of the conversation's current handle. Undefined where nothing was exchanged, and where the
   * one device of the other account has said that it holds everything.
   */
  #claim(peer: AccountId): HeadsClaim | undefined {
    const { store, local } = this.#context;
    const handle = this.#contacts.epoch(peer)?.handle;
    const epoch = handle && store.conversations.epochByHandle(handle);
    if (epoch === undefined) return undefined;
    const own = this.#framing.findOwnParty();
    const n = own === undefined ? 0 : store.frames.acceptedHead(epoch.id, own);
    const head = own === undefined || n === 0 ? undefined : store.frames.frame(epoch.id, own, n);
    const seen = newestSeen(store, epoch.id);
    if (head === undefined && seen === undefined) return undefined;
    const isPair = [peer, local.address.account].every(
      (account) => this.#contacts.list(account)?.list.devices.length === 1,
    );
    const told = store.receipts.received(epoch.id, peer, 'delivered');
    if (isPair && (n === 0 || (reaches(told, n) && told?.except.length === 0))) return undefined;
    return { handle: epoch.handle, ...(head && { head: { n, frameHash: head.hash } }), ...(seen && { seen }) };
  }
}
