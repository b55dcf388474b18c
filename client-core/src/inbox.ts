import type { ChangeBus } from './bus.ts';
import { StoreFullError } from './errors.ts';
import type { Durability } from './history/database.ts';
import type { Store } from './history/store.ts';
import type { MessageRow } from './history/message-row.ts';
import type { Message } from './message.ts';

/** An incoming message as a reader of the inbox gets it. */
export type InboxMessage = Message & {
  /** It may have been given out before: the reader ended before it was done with it. */
  readonly redelivered: boolean;
  /** It fills a hole: later ones were given out before it. */
  readonly late: boolean;
  /**
   * The reader is done with this message and all before it; so is asking for the next. Durable when this returns, but
   * after the client closed, when it does nothing and the message comes again.
   */
  done(): void;
};

const PAGE = 64;

/**
 * Incoming messages in the order in which they were shown, at least once for each consumer name, from where that
 * consumer was last done. Two readers at a time under one name both get everything.
 */
export class InboxReader implements AsyncIterableIterator<InboxMessage> {
  readonly #store: Store;
  readonly #bus: ChangeBus;
  readonly #closing: AbortSignal;
  readonly #name: string;
  readonly #toMessage: (row: MessageRow) => Message;
  #page: MessageRow[] = [];
  #given: number | undefined;
  #handled: number;
  #saved: number;
  /** Up to here an earlier reader may have been given messages. */
  readonly #offeredBefore: number;
  #ended = false;
  #wake: (() => void) | undefined;
  /** The answer to the question before: several at a time are answered in turn. */
  #asked: Promise<unknown> = Promise.resolve();

  constructor(
    parts: { store: Store; bus: ChangeBus; closing: AbortSignal },
    name: string,
    toMessage: (row: MessageRow) => Message,
  ) {
    this.#store = parts.store;
    this.#bus = parts.bus;
    this.#closing = parts.closing;
    this.#name = name;
    this.#toMessage = toMessage;
    this.#ended = this.#closing.aborted;
    const { handled, offered } = this.#ended ? { handled: 0, offered: 0 } : this.#store.consumers.get(name);
    this.#handled = handled;
    this.#saved = handled;
    this.#offeredBefore = offered;
    this.#closing.addEventListener('abort', this.#end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<InboxMessage>> {
    const answer = this.#asked.then(() => this.#next());
    this.#asked = answer.catch(() => undefined);
    return answer;
  }

  async #next(): Promise<IteratorResult<InboxMessage>> {
    if (this.#given !== undefined) this.#handled = this.#given;
    this.#given = undefined;
    while (!this.#ended) {
      const row = this.#page.shift();
      if (row) return { done: false, value: this.#give(row) };
      this.#fill();
      if (this.#page.length === 0) await this.#wait();
    }
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<InboxMessage>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #give(row: MessageRow): InboxMessage {
    const inbox = row.inbox ?? 0;
    this.#given = inbox;
    return {
      ...this.#toMessage(row),
      redelivered: inbox <= this.#offeredBefore,
      late: row.late,
      done: () => {
        this.#handled = Math.max(this.#handled, inbox);
        if (!this.#closing.aborted) this.#save(this.#handled);
      },
    };
  }

  /** Reads on, and notes what is about to be given out before it is. */
  #fill(): void {
    const after = Math.max(this.#handled, this.#given ?? 0);
    const page = this.#store.messages.inboxAfter(after, PAGE);
    const last = page.at(-1)?.inbox ?? 0;
    if (last > this.#store.consumers.get(this.#name).offered) this.#save(last);
    // What the reader is done with may come again after a power cut.
    else if (page.length === 0 && this.#handled > this.#saved) this.#save(0, { synced: false });
    this.#page = page;
  }

  #save(offered: number, durability?: Durability): void {
    const { consumers } = this.#store;
    this.#saved = this.#store.transaction(() => {
      const before = consumers.get(this.#name);
      const handled = Math.max(before.handled, this.#handled);
      consumers.set(this.#name, { handled, offered: Math.max(before.offered, offered) });
      return handled;
    }, durability);
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      const unsubscribe = this.#bus.subscribe(({ inbox }) => {
        if (inbox) this.#wake?.();
      });
      const waited = this.#store.consumers.wait(this.#name);
      this.#wake = () => {
        unsubscribe();
        waited();
        this.#wake = undefined;
        resolve();
      };
      if (this.#ended) this.#wake();
    });
  }

  /** Notes what is done with, while the file is still open. */
  readonly #end = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing.removeEventListener('abort', this.#end);
    try {
      if (this.#handled > this.#saved) this.#save(this.#handled);
    } catch (error) {
      // What the disk refused to note comes again.
      if (!(error instanceof StoreFullError)) throw error;
    }
    this.#wake?.();
  };
}
