import type {
  ConnectionState,
  ConversationId,
  ConversationSummary,
  DirectConversation,
  HistoryItem,
  MessageId,
} from '@waxwing/client-core';
import type { People } from '../../transcript.ts';
import { emptyInput, type InputLine } from './input-line.ts';
import type { Size } from '../terminal.ts';
import type { Row } from './row.ts';

/** Where the end of what is seen of a conversation is: this many rows of an item are below it. `index` finds a place again whose item is gone. */
export type Anchor = { readonly id: string; readonly index: number; readonly hidden: number };

/** The open conversation, as far as it is loaded. */
export type OpenConversation = {
  readonly id: ConversationId;
  readonly peer: DirectConversation['peer'];
  readonly items: readonly HistoryItem[];
  readonly hasOlder: boolean;
  /** The items do not end with the newest: a message further back was looked for. */
  readonly hasNewer: boolean;
  /** Undefined: the end is seen, and stays so when more comes. */
  readonly anchor: Anchor | undefined;
  /** Messages that were seen here, and when those came that stand above some of them. */
  readonly seen: ReadonlySet<string>;
  readonly late: ReadonlyMap<string, Date>;
  /** The newest that was seen with the end of the conversation. */
  readonly newestSeen: string | undefined;
  /** What was searched for and is shown where it stands. */
  readonly found: string | undefined;
  /** Why the history cannot be read. */
  readonly problem: string | undefined;
};

/** Something to read that covers the conversation until Esc. */
export type Page = {
  readonly title: string;
  readonly rows: readonly Row[];
  /** The first row that is seen. */
  readonly from: number;
  /** Where each row leads to, and which of them is chosen; absent where there is nothing to choose. */
  readonly choice?: { readonly places: readonly Place[]; readonly at: number };
};

/** A message in its conversation. */
export type Place = { readonly conversation: ConversationId; readonly message: MessageId };

export type ChatState = {
  readonly size: Size;
  readonly connection: ConnectionState;
  readonly conversations: readonly ConversationSummary[];
  readonly open: OpenConversation | undefined;
  readonly input: InputLine;
  /** What was typed and not entered where one was before. */
  readonly drafts: ReadonlyMap<ConversationId, string>;
  /** What was said last of what somebody did here; the next key that does something takes it away. */
  readonly notice: string | undefined;
  readonly page: Page | undefined;
  readonly now: Date;
};

/** What does not change while the chat runs. */
export type Setting = { readonly people: People; readonly colour: boolean; readonly title: string };

export function firstState(size: Size, now: Date): ChatState {
  return {
    size,
    connection: { state: 'offline' },
    conversations: [],
    open: undefined,
    input: emptyInput,
    drafts: new Map(),
    notice: undefined,
    page: undefined,
    now,
  };
}

/** What a key, or what came, asks to be done outside. */
export type Effect =
  | { readonly type: 'open'; readonly id: ConversationId; readonly message?: MessageId }
  | { readonly type: 'find'; readonly user: string }
  | { readonly type: 'send'; readonly text: string }
  | { readonly type: 'retry' | 'safety' | 'verified' }
  | { readonly type: 'search'; readonly words: string }
  | { readonly type: 'explain'; readonly id: HistoryItem['id'] }
  | { readonly type: 'load-older' }
  | { readonly type: 'load-newer' }
  | { readonly type: 'to-newest' }
  | { readonly type: 'redraw' }
  | { readonly type: 'leave' };

/** A state, and what is to be done about it. */
export type Step = { readonly state: ChatState; readonly effects: readonly Effect[] };

export function step(state: ChatState, ...effects: Effect[]): Step {
  return { state, effects };
}
