import type { DirectConversation, HistoryItem, Message } from '@waxwing/client-core';
import { alertLine, dayOf, holeLine, messageLines, type People } from '../transcript.ts';
import { printable } from '../printable.ts';
import type { Screen } from './screen.ts';

const FIRST_SHOWN = 20;
const WINDOW = 200;

/**
 * The open conversation on the screen: what it had last, then whatever comes. A message that fills a hole and a hole
 * that opens appear when they do, at the end, and say so.
 */
export class ConversationView {
  readonly conversation: DirectConversation;
  readonly #screen: Screen;
  readonly #people: People;
  readonly #history: ReturnType<DirectConversation['history']>;
  readonly #shown = new Map<string, HistoryItem>();
  readonly #unsubscribe: () => void;
  #oldest: string | undefined;
  #day = '';

  constructor(conversation: DirectConversation, screen: Screen, people: People) {
    this.conversation = conversation;
    this.#screen = screen;
    this.#people = people;
    this.#history = conversation.history({ limit: WINDOW });
    this.#unsubscribe = this.#history.subscribe(() => this.#look());
    this.#begin();
  }

  /** Own messages that have not come as far as they should; for a last look before the end. */
  isWaiting(): boolean {
    return this.#history.getSnapshot().items.some((item) => item.kind === 'message' && item.status.state === 'queued');
  }

  /** Resolves when every own message is sent or has failed, or the signal aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!signal.aborted && this.isWaiting()) return;
        unsubscribe();
        resolve();
      };
      const unsubscribe = this.#history.subscribe(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /** Prints what came before the oldest line, again from there on. */
  async older(): Promise<void> {
    await this.#history.loadOlder(FIRST_SHOWN);
    const { items } = this.#history.getSnapshot();
    const end = items.findIndex(({ id }) => id === this.#oldest);
    const earlier = items.slice(Math.max(0, end - FIRST_SHOWN), Math.max(0, end));
    if (earlier.length === 0) {
      this.#screen.print(['── nothing before that ──']);
      return;
    }
    this.#screen.print(['── before that ──', ...earlier.flatMap((item) => this.#lines(item)), '── up to here ──']);
    this.#oldest = earlier[0]?.id;
    for (const item of earlier) this.#shown.set(item.id, item);
  }

  close(): void {
    this.#unsubscribe();
  }

  #begin(): void {
    const { items } = this.#history.getSnapshot();
    for (const item of items) this.#shown.set(item.id, item);
    const first = items.slice(-FIRST_SHOWN);
    this.#oldest = first[0]?.id;
    for (const item of first) this.#print(item);
    if (items.length > first.length) this.#screen.print(['(/more shows what was before)']);
  }

  #look(): void {
    const { items, state, error } = this.#history.getSnapshot();
    if (state === 'error') {
      const why = error instanceof Error ? error.message : String(error);
      this.#screen.print([`── the history cannot be read: ${why} ──`]);
      return;
    }
    for (const [index, item] of items.entries()) {
      const before = this.#shown.get(item.id);
      this.#shown.set(item.id, item);
      if (before === undefined) {
        const isNewest = items.slice(index + 1).every(({ id }) => !this.#shown.has(id) || isOwnPending(items, id));
        if (!isNewest && item.kind === 'message') this.#screen.print(['── came late; it stands further up: ──']);
        this.#print(item);
      } else if (item.kind === 'message' && before.kind === 'message') this.#statusOf(item, before);
    }
  }

  #print(item: HistoryItem): void {
    if (item.kind === 'message') {
      const day = dayOf(item.serverTime);
      if (day !== this.#day) this.#screen.print([`── ${day} ──`]);
      this.#day = day;
    }
    this.#screen.print(this.#lines(item));
  }

  #lines(item: HistoryItem): string[] {
    if (item.kind === 'hole') return [holeLine(item)];
    return item.kind === 'alert' ? [alertLine(item, this.#people)] : messageLines(item, this.#people);
  }

  #statusOf(item: Message, before: Message): void {
    if (item.status.state === before.status.state) return;
    const [line = ''] = printable(item.text ?? '').split('\n');
    const start = line.length > 40 ? `${line.slice(0, 39)}…` : line;
    const said = this.#said(item, start);
    if (said !== undefined) this.#screen.print([said]);
  }

  #said({ status }: Message, start: string): string | undefined {
    switch (status.state) {
      case 'sent':
        return `      ✓  sent: ${start}`;
      case 'delivered':
        return `      ✓✓ delivered: ${start}`;
      case 'read':
        return `      ◉◉ read: ${start}`;
      case 'failed':
        return `      ✗  not sent (${status.code}): ${start}`;
      case 'queued':
      case 'received':
        return undefined;
    }
  }
}

function isOwnPending(items: readonly HistoryItem[], id: string): boolean {
  const item = items.find((one) => one.id === id);
  return item?.kind === 'message' && item.sequence === null;
}
