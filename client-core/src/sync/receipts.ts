import {
  decodeReceipt,
  encodeReceipt,
  frameHash,
  frameKinds,
  limits,
  randomFraction,
  sameBytes,
  type AccountId,
  type Frame,
  type Watermark,
} from '@waxwing/protocol';
import type { SyncContext } from './context.ts';
import type { DirectSender } from './direct-sender.ts';
import type { Framing } from './framing.ts';
import { together } from './reach.ts';
import { tellFull } from './told.ts';
import { unlessMalformed } from './unless-malformed.ts';
import { dueDelivered, dueRead, mayBeDue, type DueWatermark } from './watermarks.ts';

const FLUSH_MS = 1_000;

/**
 * Watermarks of what this device has committed and what was marked read on it, told to the devices that sent it, a random
 * while after. What was told is noted when the relay has it; a receipt that was lost is made anew, for watermarks only rise.
 */
export class Receipts {
  readonly #context: SyncContext;
  readonly #framing: Framing;
  readonly #sender: DirectSender;
  #cancel: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  /** Due while a receipt was on its way. */
  #again = false;

  constructor(context: SyncContext, framing: Framing, sender: DirectSender) {
    this.#context = context;
    this.#framing = framing;
    this.#sender = sender;
  }

  connected(): void {
    if (mayBeDue(this.#context.store)) this.schedule();
  }

  disconnected(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async stop(): Promise<void> {
    this.disconnected();
    await this.#sending;
  }

  /** Something was taken in, or marked read: a receipt is due after 0.5 to 3 s, at random. */
  schedule(): void {
    if (this.#cancel || !this.#sender.isConnected) return;
    const { timers, randomBytes } = this.#context;
    const spread = limits.receiptDelayMaxMs - limits.receiptDelayMinMs;
    this.#cancel = timers.after(limits.receiptDelayMinMs + spread * randomFraction(randomBytes), () => {
      this.#cancel = undefined;
      if (this.#sending) this.#again = true;
      else this.#begin();
    });
  }

  /** Tells what is due at once, as before an orderly end; stops waiting for the answer after a second. */
  async flush(): Promise<void> {
    if (!this.#sender.isConnected) return;
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#sending === undefined && !mayBeDue(this.#context.store)) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#context.timers.after(FLUSH_MS, resolve);
      void (async () => {
        await this.#sending;
        this.#begin();
        await this.#sending;
        cancel();
        resolve();
      })();
    });
  }

  /** Takes a receipt in, within a transaction. Answers the conversations that it changed, and what contradicts in it. */
  take(frame: Frame): { readonly conversations: readonly number[]; readonly contradiction: boolean } {
    const { store } = this.#context;
    const conversations: number[] = [];
    let contradiction = false;
    for (const watermark of readReceipt(frame)) {
      const epoch = store.conversations.epochByHandle(watermark.handle);
      const own = this.#framing.findOwnParty();
      if (epoch === undefined || own === undefined) continue;
      if (store.conversations.byId(epoch.conversation)?.peer !== frame.sender.account) continue;
      if (watermark.senderDevice !== this.#context.local.address.device) continue;
      if (!this.#isOwnFrame(epoch.id, own, watermark)) {
        contradiction = true;
        continue;
      }
      const before = store.receipts.received(epoch.id, frame.sender.account, watermark.kind);
      const reach = together(before, { n: watermark.n, except: watermark.except });
      store.receipts.setReceived(epoch.id, frame.sender.account, watermark.kind, reach);
      conversations.push(epoch.conversation);
    }
    return { conversations, contradiction };
  }

  /** Whether it names a frame of this device under this n: the one that stands, or an attempt without an outcome. */
  #isOwnFrame(epoch: number, own: number, { n, frameHash: named }: Watermark): boolean {
    const { frames, outbox } = this.#context.store;
    const known = frames.frame(epoch, own, n);
    if (known && sameBytes(known.hash, named)) return true;
    const row = known && outbox.framedAt(epoch, n);
    return row !== undefined && outbox.attempts(row.id).some(({ frame }) => sameBytes(frameHash(frame), named));
  }

  #begin(): void {
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#again) this.schedule();
      this.#again = false;
    });
  }

  async #send(): Promise<void> {
    try {
      for (const [account, due] of this.#due()) await this.#sendTo(account, due);
    } catch (error) {
      tellFull(this.#context, error);
    }
  }

  /** What is to be told, by the account that it is told to. */
  #due(): Map<AccountId, DueWatermark[]> {
    const { store } = this.#context;
    const due = new Map<AccountId, DueWatermark[]>();
    for (const one of [...dueRead(store), ...dueDelivered(store)]) {
      const list = due.get(one.account) ?? [];
      if (list.length < limits.watermarksPerReceipt) list.push(one);
      due.set(one.account, list);
    }
    return due;
  }

  async #sendTo(account: AccountId, due: readonly DueWatermark[]): Promise<void> {
    const { store } = this.#context;
    const body = encodeReceipt(due.map(({ watermark }) => watermark));
    const sent = await this.#sender.send(account, { kind: frameKinds.receipt, body });
    if (sent === 'lost') return;
    // One that is refused for good has nobody to be told.
    if (sent === 'accepted' || sent === 'refused') {
      store.transaction(() => {
        for (const { told } of due) told();
      });
    } else {
      this.schedule();
    }
  }
}

function readReceipt(frame: Frame): readonly Watermark[] {
  if (frame.kind !== frameKinds.receipt) return [];
  return unlessMalformed(() => decodeReceipt(frame.body)) ?? [];
}
