import {
  limits,
  type AccountId,
  type Deliver,
  type DeviceAddress,
  type Frame,
  type Handle,
  type Mark,
  type MessageId,
  type Position,
  type Ready,
} from '@waxwing/protocol';
import type { KeyserverClient } from '../transport/keyserver-client.ts';
import type { LinkEvents, RelayLink } from '../transport/relay-link.ts';
import { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import { DirectSender } from './direct-sender.ts';
import { Framing } from './framing.ts';
import { GapKeeper } from './gap-keeper.ts';
import { Heads } from './heads.ts';
import { Inbound } from './inbound.ts';
import { takeListClaim } from './list-gossip.ts';
import { Outbox } from './outbox.ts';
import { Placing } from './placing.ts';
import { PrekeyKeeper } from './prekey-keeper.ts';
import { Receipts } from './receipts.ts';
import { Repair } from './repair.ts';
import { tellFull, tellPlaced } from './told.ts';

/** The parts that keep a device in step with the relay, and what each of the link's events means to them. */
export class SyncEngine {
  readonly contacts: Contacts;
  readonly outbox: Outbox;
  readonly #context: SyncContext;
  readonly #inbound: Inbound;
  readonly #sender: DirectSender;
  readonly #receipts: Receipts;
  readonly #heads: Heads;
  readonly #repair: Repair;
  readonly #gaps: GapKeeper;
  readonly #prekeys: PrekeyKeeper;
  readonly #onReady: () => void;
  readonly #onCaughtUp: () => void;
  #link: RelayLink | undefined;
  #mailIsGone = false;
  /** The mailbox was read to its end at this connection. */
  #isCaughtUp = false;
  /** What goes on beside the walks, in and out. */
  readonly #tasks = new Set<Promise<void>>();
  #stopped = false;

  constructor(
    context: SyncContext,
    keyserver: KeyserverClient,
    newId: () => MessageId,
    on: { readonly ready: () => void; readonly caughtUp: () => void },
  ) {
    this.#context = context;
    this.#onReady = on.ready;
    this.#onCaughtUp = on.caughtUp;
    this.contacts = new Contacts(context, keyserver, (account) => this.#beside(() => this.#inbound.retryHeld(account)));
    const framing = new Framing(context, this.contacts);
    this.outbox = new Outbox(context, this.contacts, framing, newId);
    this.#sender = new DirectSender(context, this.contacts, framing, newId);
    this.#receipts = new Receipts(context, framing, this.#sender);
    this.#heads = new Heads(context, { contacts: this.contacts, framing, sender: this.#sender }, (handles) =>
      this.#beside(() => this.#lookForTails(handles)),
    );
    this.#repair = new Repair(context, this.contacts, framing, this.#sender);
    this.#gaps = new GapKeeper(context);
    this.#prekeys = new PrekeyKeeper(context, keyserver);
    this.#inbound = new Inbound(context, this.contacts, {
      committed: (position) => {
        this.#link?.ack(position);
        this.#repair.look();
      },
      received: () => this.#receipts.schedule(),
      frameRead: (frame, placing) => this.#takeList(frame, placing),
      directFrame: (frame, placing) => this.#takeDirect(frame, placing),
      unlisted: (sender) => this.#fetchListOf(sender),
      drained: () => this.#beside(() => this.#caughtUp()),
    });
    context.bus.subscribe(({ conversations }) => {
      this.#gaps.lookAt(conversations);
      this.#repair.look();
    });
  }

  /** The link's events, for the link that `attach` is given. */
  readonly linkEvents: Omit<LinkEvents, 'stateChanged'> = {
    ready: (ready) => this.#ready(ready),
    delivered: (deliveries: readonly Deliver[]) => this.#inbound.deliver(deliveries),
    marked: (marks: readonly Mark[]) => {
      this.#marked(marks);
      if (this.#isCaughtUp) this.#beside(() => this.#lookForLost());
    },
    drained: () => this.#inbound.drained(),
    prekeysLow: () => this.#prekeys.topUp(),
    mailboxRestarted: () => this.#restarted(),
  };

  attach(link: RelayLink): void {
    this.#link = link;
  }

  disconnected(): void {
    this.#inbound.disconnected();
    this.outbox.disconnected();
    this.#receipts.disconnected();
    this.#heads.disconnected();
    this.#repair.disconnected();
    this.#sender.disconnected();
    this.#gaps.disconnected();
  }

  /** A person looks at a conversation. */
  opened(conversation: number): void {
    if (!this.#stopped) this.#heads.opened(conversation);
  }

  /** Something was marked read. */
  marked(): void {
    if (!this.#stopped) this.#receipts.schedule();
  }

  /** The person takes an account as it is: what waited for that goes. */
  accepted(account: AccountId): void {
    const conversation = this.#context.store.conversations.byPeer(account)?.id;
    if (conversation !== undefined) this.#context.bus.tell({ conversations: new Set([conversation]), inbox: false });
    this.outbox.released();
    this.#receipts.connected();
  }

  committed(): Position | undefined {
    return this.#context.store.device.committed();
  }

  /** What others wait for before an orderly end is told while there is a connection; takes a second at most. */
  tellLast(): Promise<void> {
    return this.#receipts.flush();
  }

  /** Ends in order: what is under way is finished, nothing new begins. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.disconnected();
    this.contacts.stop();
    const parts = [this.#inbound, this.outbox, this.#receipts, this.#heads, this.#repair, this.#prekeys];
    await Promise.all(parts.map((part) => part.stop()));
    await Promise.all(this.#tasks);
    await this.#context.work.idle();
  }

  /** Starts what nothing waits for but the end. A full disk is told; what it stopped is tried again at the next connection. */
  #beside(task: () => Promise<void> | void): void {
    if (this.#stopped) return;
    const running = (async () => task())()
      .catch((error: unknown) => {
        tellFull(this.#context, error);
      })
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  #ready({ marks, mailboxRestarted }: Ready): void {
    this.#beside(() => this.#onReady());
    this.#inbound.connected();
    this.#mailIsGone = false;
    this.#isCaughtUp = false;
    this.#gaps.settled();
    if (mailboxRestarted) this.#restarted();
    this.#marked(marks);
    if (this.#link === undefined) return;
    this.outbox.connected(this.#link);
    this.#sender.connected(this.#link);
    this.#receipts.connected();
    this.#prekeys.topUp();
  }

  #marked(marks: readonly Mark[]): void {
    if (marks.length === 0) return;
    this.#mailIsGone = true;
    this.#gaps.marked(marks);
  }

  #restarted(): void {
    this.#mailIsGone = true;
    this.#gaps.mailboxRestarted();
    this.#beside(() => this.#repair.mailboxRestarted());
  }

  /** The mailbox is read to its end: what is missing now is missing, and what was held may have its list. */
  async #caughtUp(): Promise<void> {
    const { store, clock } = this.#context;
    this.#onCaughtUp();
    this.#isCaughtUp = true;
    this.#gaps.live();
    await this.#lookForLost();
    if (this.#stopped) return;
    if (this.#link) this.#heads.live(this.#link);
    this.#beside(() => this.#repair.live());
    store.transaction(() => store.held.age(clock.now() - limits.heldMaxAgeMs));
    for (const account of store.lists.claimed()) await this.contacts.fetch(account);
    for (const account of store.held.accounts('unlisted device')) {
      const fetched = await this.contacts.fetch(account);
      if (fetched === 'unreachable') return;
      // A newer list has seen to it already; the list may also have come before, without what was held being tried.
      if (fetched === 'same') await this.#inbound.retryHeld(account);
    }
  }

  /** Where mail is gone, its tail may be: what is found missing now has that reason, and what is later has not. */
  async #lookForLost(): Promise<void> {
    if (this.#mailIsGone) await this.#lookForTails(this.#handles());
    this.#mailIsGone = false;
    this.#gaps.settled();
  }

  #handles(): Handle[] {
    const { conversations } = this.#context.store;
    return conversations.all().flatMap(({ id }) => conversations.epochs(id).map(({ handle }) => handle));
  }

  /** Each handle's head tells whether its newest messages are missing. */
  async #lookForTails(handles: readonly Handle[]): Promise<void> {
    const { store, work, clock } = this.#context;
    for (let at = 0; at < handles.length; at += limits.handlesPerHeads) {
      const heads = await this.#link?.heads(handles.slice(at, at + limits.handlesPerHeads)).catch(() => undefined);
      if (heads === undefined) return;
      const placing = await work.run(() => () => {
        const placed = new Placing(store, clock.now());
        for (const { handle, last, predecessor } of heads) {
          const epoch = store.conversations.epochByHandle(handle);
          // An epoch of which nothing is held yet starts where its first message is.
          if (!epoch || !last || placed.view(epoch.id).start === undefined) continue;
          placed.know(epoch.id, { sequence: last, ...(predecessor && { predecessor }) });
        }
        placed.finish();
        return placed;
      });
      tellPlaced(this.#context, placing);
    }
  }

  #takeDirect(frame: Frame, placing: Placing): void {
    this.#heads.take(frame, placing);
    const repaired = this.#repair.take(frame, placing);
    if (repaired) {
      for (const what of repaired.alerts) placing.alarm({ ...frame.sender, what });
      if (repaired.frames) queueMicrotask(() => this.#receipts.schedule());
      return;
    }
    const { conversations, contradiction } = this.#receipts.take(frame);
    for (const conversation of conversations) placing.touched.add(conversation);
    if (contradiction) placing.alarm({ ...frame.sender, what: 'a receipt for another frame' });
  }

  #fetchListOf(sender: DeviceAddress): void {
    this.#beside(async () => {
      await this.contacts.fetchFor(sender);
    });
  }

  #takeList(frame: Frame, placing: Placing): void {
    const { store } = this.#context;
    if (!takeListClaim(store, this.contacts.list(frame.sender.account), frame, placing)) return;
    // Asked for after the transaction that this runs in.
    queueMicrotask(() => this.#fetchListOf(frame.sender));
  }
}
