import type { Client, ConversationSummary } from '@waxwing/client-core';
import type { Context } from '../context.ts';
import { Failure, inOneLine } from '../failure.ts';
import type { Names } from '../names.ts';
import { conversationNear } from '../peer.ts';
import { printable } from '../printable.ts';
import { dayOf, peopleOf, timeOf, type People } from '../transcript.ts';
import type { Screen } from './screen.ts';
import { ConversationView } from './view.ts';

const SETTLE_MS = 10_000;

const help = [
  '/list            your conversations',
  '/open USER       talk with somebody: a username, an account id, or a number of /list',
  '/more            older messages',
  '/me              your account id',
  '/help            this',
  '/quit            ends (what is not sent yet goes next time)',
  'Anything else is sent. A line that is to begin with / begins with two.',
];

/** What a person does in `chat` in a pipe: one conversation is open, or none. */
export class ChatSession {
  readonly #context: Context;
  readonly #client: Client;
  readonly #names: Names;
  readonly #screen: Screen;
  readonly #people: People;
  readonly #seen = new Map<string, string>();
  #listed: readonly ConversationSummary[] = [];
  #view: ConversationView | undefined;

  constructor(o: {
    readonly context: Context;
    readonly client: Client;
    readonly names: Names;
    readonly screen: Screen;
  }) {
    this.#context = o.context;
    this.#client = o.client;
    this.#names = o.names;
    this.#screen = o.screen;
    this.#people = peopleOf(o.client.account, o.names);
  }

  /** What stands on the screen first: who one is, and a conversation or the list of all. */
  async begin({ withUser, device }: { readonly withUser?: string; readonly device?: string }): Promise<void> {
    const own = this.#names.username(this.#client.account);
    const on = device === undefined ? '' : ` on ${printable(device)}`;
    this.say(`you are ${own === undefined ? '' : `${own}, `}${this.#client.account}${on}`);
    this.#listed = this.#client.conversations().getSnapshot().items;
    if (withUser === undefined) this.#list();
    else await this.#open(withUser);
  }

  /** Until `/quit`, the end of the input, or `stop`. */
  async run(stop: AbortSignal): Promise<void> {
    const unwatch = this.#watchOthers();
    const close = (): void => this.#screen.close();
    stop.addEventListener('abort', close);
    if (stop.aborted) close();
    try {
      for await (const line of this.#screen.typed) {
        if (stop.aborted || !(await this.#take(line))) return;
      }
      await this.#settle(stop);
    } finally {
      unwatch();
      stop.removeEventListener('abort', close);
    }
  }

  end(): void {
    this.#view?.close();
    this.#screen.close();
  }

  /** False: the person wants to leave. */
  async #take(line: string): Promise<boolean> {
    const [command = '', ...rest] = line.trim().split(/\s+/);
    const argument = rest.join(' ');
    if (line.trim() === '') return true;
    if (!command.startsWith('/') || command.startsWith('//')) {
      await this.#send(line.startsWith('//') ? line.slice(1) : line);
      return true;
    }
    switch (command) {
      case '/quit':
      case '/exit':
      case '/q':
        return false;
      case '/list':
        this.#list();
        break;
      case '/open':
        if (argument === '') this.say('type: /open USER');
        else await this.#open(argument).catch((error: unknown) => this.say(inOneLine(error)));
        break;
      case '/more':
        if (this.#view) await this.#view.older();
        else this.say('no conversation is open. Type: /open USER');
        break;
      case '/me':
        this.say(this.#client.account);
        break;
      case '/help':
        this.#screen.print(help);
        break;
      default:
        this.say(`there is no ${printable(command)}. Type: /help`);
    }
    return true;
  }

  async #send(text: string): Promise<void> {
    if (!this.#view) {
      this.say('no conversation is open. Type: /open USER, then what you want to say');
      return;
    }
    await this.#view.conversation.send({ text }).catch((error: unknown) => this.say(inOneLine(error)));
  }

  async #open(user: string): Promise<void> {
    const known = /^\d{1,4}$/.test(user) ? this.#listed[Number(user) - 1] : undefined;
    if (/^\d{1,4}$/.test(user) && !known) throw new Failure(`there is no number ${user} in the list. Type: /list`);
    const conversation = known
      ? await this.#client.conversation(known.id)
      : await conversationNear(this.#client, this.#names, user);
    this.#view?.close();
    this.#view = undefined;
    this.say(`with ${this.#people.nameOf(conversation.peer)} (${conversation.peer})`);
    this.#view = new ConversationView(conversation, this.#screen, this.#people);
  }

  #list(): void {
    this.#listed = this.#client.conversations().getSnapshot().items;
    if (this.#listed.length === 0) {
      this.#screen.print(['No conversations yet. Type: /open USER (and /help for the rest)']);
      return;
    }
    this.#screen.print(['Conversations (/open and a number or a name):', ...this.#listed.map(this.#summary)]);
  }

  readonly #summary = ({ peer, lastMessage, activeAt }: ConversationSummary, index: number): string => {
    const from = lastMessage?.from === this.#client.account ? 'me: ' : '';
    const [text = ''] = printable(lastMessage?.text ?? '').split('\n');
    const last = lastMessage ? `${dayOf(activeAt)} ${timeOf(activeAt)}  ${from}${text}` : 'nothing yet';
    return `  ${index + 1}  ${this.#people.nameOf(peer)}  ${last}`;
  };

  /** A line for what comes in conversations that are not open. */
  #watchOthers(): () => void {
    const all = this.#client.conversations();
    const look = (isFirst: boolean): void => {
      for (const summary of all.getSnapshot().items) {
        const { id, peer, lastMessage } = summary;
        const isNew = lastMessage !== undefined && this.#seen.get(id) !== lastMessage.id;
        if (lastMessage) this.#seen.set(id, lastMessage.id);
        if (isFirst || !isNew || lastMessage.from !== peer || this.#view?.conversation.id === id) continue;
        const [text = ''] = printable(lastMessage.text ?? '').split('\n');
        this.say(`${this.#people.nameOf(peer)} writes: ${text}  (/open ${this.#numberOf(summary)})`);
      }
    };
    const unsubscribe = all.subscribe(() => look(false));
    look(true);
    return unsubscribe;
  }

  /** The number under which `/open` knows a conversation: that of the list, or the next. */
  #numberOf(summary: ConversationSummary): number {
    const index = this.#listed.findIndex(({ id }) => id === summary.id);
    if (index < 0) this.#listed = [...this.#listed, summary];
    return index < 0 ? this.#listed.length : index + 1;
  }

  /** At the end of the input what was typed is given a while to leave. */
  async #settle(stop: AbortSignal): Promise<void> {
    if (!this.#view?.isWaiting()) return;
    const late = new AbortController();
    const cancel = this.#context.runtime.timers.after(SETTLE_MS, () => late.abort());
    await this.#view.settled(AbortSignal.any([stop, late.signal]));
    cancel();
    if (this.#view.isWaiting()) this.say('not everything is sent yet; it goes next time');
  }

  /** A line that is nobody's message. */
  say(text: string): void {
    this.#screen.print([`── ${text} ──`]);
  }
}
