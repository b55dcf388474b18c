import type { AccountId, Client, DirectConversation, MessageId, SafetyNumber, SentMessage } from '@waxwing/client-core';
import type { Context } from '../../context.ts';
import { inOneLine } from '../../failure.ts';
import type { Names } from '../../names.ts';
import { conversationNear } from '../../peer.ts';
import { printable } from '../../printable.ts';
import { peopleOf } from '../../transcript.ts';
import { historyCame, isToBeRead, opened } from './come.ts';
import { Frames } from './frames.ts';
import { panesOf } from './panes.ts';
import { explainPage, hitsPage, safetyPage } from './pages.ts';
import { press } from './press.ts';
import { firstState, type ChatState, type Effect, type Setting, type Step } from './state.ts';
import { sizeOf, type Terminal } from '../terminal.ts';
import { openWindow, type Window } from './window.tsx';

const LOADED = 60;
const MOST_HITS = 100;
/** How long it is today without looking at the clock. */
const CLOCK_MS = 20_000;

type Parts = {
  readonly context: Context;
  readonly client: Client;
  readonly names: Names;
  readonly terminal: Terminal;
};

/** The chat on a terminal: what came and what was typed make the state, and the state asks for what is to be done. */
export class TerminalChat {
  readonly #context: Context;
  readonly #client: Client;
  readonly #names: Names;
  readonly #terminal: Terminal;
  readonly #setting: Setting;
  readonly #frames: Frames<ChatState>;
  readonly #ended = new AbortController();
  readonly #conversations: ReturnType<Client['conversations']>;
  #open: { readonly conversation: DirectConversation; history: History; unwatch: () => void } | undefined;
  #window: Window | undefined;
  #isMarking = false;
  #compared: { readonly peer: AccountId; readonly number: SafetyNumber } | undefined;

  constructor({ context, client, names, terminal }: Parts) {
    this.#context = context;
    this.#client = client;
    this.#names = names;
    this.#terminal = terminal;
    this.#conversations = client.conversations();
    const people = peopleOf(client.account, names);
    const { env } = context.io;
    const colour = env.NO_COLOR === undefined || env.NO_COLOR === '';
    this.#setting = { people, colour, title: people.nameOf(people.own) };
    this.#frames = new Frames(firstState(sizeOf(terminal), this.#now()), context.runtime);
  }

  /** Until the person leaves, or `stop`. The terminal is as it was when this resolves. */
  async run(stop: AbortSignal, withUser?: string): Promise<void> {
    const frames = this.#frames;
    const ends = [
      frames.watch(this.#client.connection, () => {
        this.#set({ connection: this.#client.connection.getSnapshot() });
      }),
      frames.watch(this.#conversations, () => {
        this.#set({ conversations: this.#conversations.getSnapshot().items });
      }),
      frames.subscribe(() => this.#markRead()),
      this.#keepTime(),
    ];
    this.#window = openWindow(this.#terminal, frames, this.#setting, {
      key: (key) => this.#take(press(frames.value, key, this.#setting)),
      size: (size) => this.#set({ size }),
    });
    try {
      if (withUser !== undefined) this.#do({ type: 'find', user: withUser });
      await aborted(AbortSignal.any([stop, this.#ended.signal]));
    } finally {
      for (const end of ends) end();
      this.#open?.unwatch();
      frames.end();
      this.#window.close();
    }
  }

  /** Whom something was written to that is not sent yet. */
  unsentTo(): string[] {
    const { items } = this.#conversations.getSnapshot();
    const waiting = items.filter(({ lastMessage }) => lastMessage?.status.state === 'queued');
    return waiting.map(({ peer }) => this.#setting.people.nameOf(peer));
  }

  #now(): Date {
    return new Date(this.#context.runtime.clock.now());
  }

  #set(part: Partial<ChatState>): void {
    this.#frames.set({ ...this.#frames.value, ...part });
  }

  #take({ state, effects }: Step): void {
    this.#frames.set({ ...state, now: this.#now() });
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    this.#work(effect).catch((error: unknown) => this.#set({ notice: printable(inOneLine(error)) }));
  }

  async #work(effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'open':
        this.#show(await this.#client.conversation(effect.id), effect.message);
        return;
      case 'find':
        this.#show(await conversationNear(this.#client, this.#names, effect.user));
        return;
      case 'send':
        await this.#open?.conversation.send({ text: effect.text });
        return;
      case 'retry':
        return this.#retry();
      case 'search':
        return this.#search(effect.words);
      case 'safety':
        return this.#safety();
      case 'verified':
        return this.#verified();
      case 'explain':
        this.#set({ page: explainPage(await this.#client.explain(effect.id), this.#columns()) });
        return;
      case 'load-older':
        return this.#open?.history.loadOlder(LOADED);
      case 'load-newer':
        return this.#open?.history.loadNewer(LOADED);
      case 'to-newest':
        if (this.#open) this.#watch(this.#open.conversation);
        return;
      case 'redraw':
        this.#window?.redraw();
        return;
      case 'leave':
        this.#ended.abort();
    }
  }

  #show(conversation: DirectConversation, message?: MessageId): void {
    this.#frames.set(opened(this.#frames.value, conversation, message));
    this.#watch(conversation, message);
  }

  #watch(conversation: DirectConversation, around?: MessageId): void {
    this.#open?.unwatch();
    const history = conversation.history({ limit: LOADED, ...(around && { around }) });
    const unwatch = this.#frames.watch(history, () => {
      this.#frames.set(historyCame({ ...this.#frames.value, now: this.#now() }, history.getSnapshot()));
    });
    this.#open = { conversation, history, unwatch };
  }

  async #search(words: string): Promise<void> {
    const { items } = await this.#client.search(words, { limit: MOST_HITS });
    this.#set({ page: hitsPage(words, items, this.#setting, this.#frames.value.now) });
  }

  /** The number is kept: what the person says to have compared is what was shown. */
  async #safety(): Promise<void> {
    if (!this.#open) return;
    const { peer } = this.#open.conversation;
    const number = await this.#client.safetyNumber(peer);
    this.#compared = { peer, number };
    this.#set({ page: safetyPage(this.#setting.people.nameOf(peer), number, this.#columns()) });
  }

  async #verified(): Promise<void> {
    const peer = this.#open?.conversation.peer;
    if (!this.#compared || this.#compared.peer !== peer) {
      this.#set({ notice: 'compare it first: type /safety' });
      return;
    }
    await this.#client.trust.markVerified(peer, this.#compared.number);
    this.#set({ notice: `the safety number with ${this.#setting.people.nameOf(peer)} is verified` });
  }

  #columns(): number {
    return panesOf(this.#frames.value, this.#setting).columns;
  }

  /** Says that what a frame showed is read, once at a time. */
  #markRead(): void {
    if (this.#isMarking || !this.#open || !isToBeRead(this.#frames.getSnapshot())) return;
    this.#isMarking = true;
    const done = (): void => {
      this.#isMarking = false;
    };
    this.#open.conversation.markRead().then(done, done);
  }

  /** Sends again what failed of the open conversation: the same text under the same id is the same message. */
  async #retry(): Promise<void> {
    const { open } = this.#frames.value;
    if (!this.#open || !open) return;
    const { conversation } = this.#open;
    let count = 0;
    for (const item of open.items) {
      if (item.kind !== 'message' || item.status.state !== 'failed' || item.text === undefined) continue;
      const content = { text: item.text, ...(item.replyTo && { replyTo: item.replyTo }) };
      const sent: SentMessage = await conversation.send(content, { id: item.id });
      await sent.retry();
      count += 1;
    }
    if (count === 0) this.#set({ notice: 'nothing failed here' });
  }

  /** What is of today changes at midnight. */
  #keepTime(): () => void {
    const { timers } = this.#context.runtime;
    const tick = (): void => {
      this.#set({ now: this.#now() });
      cancel = timers.after(CLOCK_MS, tick);
    };
    let cancel = timers.after(CLOCK_MS, tick);
    return () => cancel();
  }
}

type History = ReturnType<DirectConversation['history']>;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
