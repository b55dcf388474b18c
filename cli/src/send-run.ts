import { WaxwingError, type DirectConversation, type SentMessage } from '@waxwing/client-core';
import { OutputClosed, QuietFailure } from './failure.ts';
import type { Output } from './output.ts';
import type { OutgoingLine } from './outgoing-line.ts';

/** How far a message has to come. */
export type Wanted = 'sent' | 'delivered' | 'read';

/** A line of the input that was put in the outbox, or that could not be. */
type Entry = { readonly key?: string; readonly outcome: SentMessage | WaxwingError };

/** Lines taken from the input whose outcome is not printed yet. */
const MOST_WAITING = 256;

/**
 * Sends lines in their order and prints what became of each, in the same order. At most `MOST_WAITING` are under way;
 * the input is read no faster.
 */
export class SendRun {
  readonly #conversation: DirectConversation;
  readonly #wanted: Wanted;
  readonly #out: Output;
  readonly #waiting: Entry[] = [];
  #wake: (() => void)[] = [];
  #isRead = false;
  #allReached = true;
  #broken: { readonly error: unknown } | undefined;

  constructor(o: { readonly conversation: DirectConversation; readonly wanted: Wanted; readonly out: Output }) {
    this.#conversation = o.conversation;
    this.#wanted = o.wanted;
    this.#out = o.out;
  }

  /**
   * True when every line came as far as it has to. When `stop` aborts, what is not there yet is printed as it stands, and
   * goes on with the next client of this device. Rejects with what the input throws, after what it gave before is done.
   */
  async all(lines: AsyncIterable<OutgoingLine>, stop: AbortSignal): Promise<boolean> {
    const reading = this.#read(lines, stop).catch((error: unknown) => {
      this.#broken = { error };
    });
    const ended = reading.then(() => {
      this.#isRead = true;
      this.#wakeAll();
    });
    stop.addEventListener('abort', () => this.#wakeAll());
    await this.#print(stop);
    if (!stop.aborted) await ended;
    if (this.#broken) throw this.#broken.error;
    return this.#allReached && !stop.aborted;
  }

  async #read(lines: AsyncIterable<OutgoingLine>, stop: AbortSignal): Promise<void> {
    const isStopped = (): boolean => stop.aborted;
    for await (const { key, text } of lines) {
      if (isStopped()) return;
      this.#waiting.push({ ...(key !== undefined && { key }), outcome: await this.#queue(text, key) });
      this.#wakeAll();
      while (this.#waiting.length >= MOST_WAITING && !isStopped()) await this.#change();
    }
  }

  async #queue(text: string, key: string | undefined): Promise<SentMessage | WaxwingError> {
    try {
      const sent = await this.#conversation.send({ text }, key === undefined ? {} : { id: key });
      if (sent.status.getSnapshot().state === 'failed') await sent.retry();
      return sent;
    } catch (error) {
      if (error instanceof WaxwingError && !error.retryable && error.code !== 'closed') return error;
      throw error;
    }
  }

  async #print(stop: AbortSignal): Promise<void> {
    for (;;) {
      const entry = this.#waiting[0];
      if (entry) {
        await this.#out.json(await this.#outcome(entry, stop)).catch((error: unknown) => {
          throw error instanceof OutputClosed ? new QuietFailure() : error;
        });
        this.#waiting.shift();
        this.#wakeAll();
      } else if (this.#isRead || stop.aborted) return;
      else await this.#change();
    }
  }

  async #outcome({ key, outcome }: Entry, stop: AbortSignal): Promise<object> {
    const named = key === undefined ? {} : { key };
    if (outcome instanceof WaxwingError) {
      this.#allReached = false;
      return { id: null, ...named, status: 'failed', code: outcome.code };
    }
    await outcome.reached(this.#wanted, { signal: stop }).catch(() => {
      this.#allReached = false;
    });
    const status = outcome.status.getSnapshot();
    return { id: outcome.id, ...named, status: status.state, ...(status.state === 'failed' && { code: status.code }) };
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
