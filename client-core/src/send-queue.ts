import { encodeContent, sameBytes, type Clock, type MessageId } from '@waxwing/protocol';
import type { ChangeBus } from './bus.ts';
import { WaxwingError } from './errors.ts';
import type { Store } from './history/store.ts';

/** A message that is to be kept. `content`: a serialised ContentBody. */
type Unkept = {
  readonly conversation: number;
  readonly messageId: MessageId;
  readonly content: Uint8Array;
  readonly sentAtMs: number;
  readonly kept: () => void;
  readonly refused: (error: unknown) => void;
};

/** Puts messages into the outbox. Those of one turn share a commit, which is most of what one of them costs. */
export class SendQueue {
  readonly #store: Store;
  readonly #bus: ChangeBus;
  readonly #clock: Clock;
  readonly #pump: () => void;
  #unkept: Unkept[] = [];

  /** `pump`: something is in the outbox. */
  constructor(parts: {
    readonly store: Store;
    readonly bus: ChangeBus;
    readonly clock: Clock;
    readonly pump: () => void;
  }) {
    this.#store = parts.store;
    this.#bus = parts.bus;
    this.#clock = parts.clock;
    this.#pump = parts.pump;
  }

  /**
   * Resolves once the message is durable. The same id with the same content in the same conversation is the first one
   * again. Rejects with `id_taken` where the id is another message's, and as a commit does.
   */
  put(conversation: number, messageId: MessageId, content: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#unkept.length === 0) setImmediate(() => this.#flush());
      const sentAtMs = this.#clock.now();
      this.#unkept.push({ conversation, messageId, content, sentAtMs, kept: resolve, refused: reject });
    });
  }

  /** Keeps what waits, and tells nobody: the client ends. */
  end(): void {
    this.#keepAll();
  }

  #flush(): void {
    const conversations = this.#keepAll();
    if (conversations.size === 0) return;
    this.#pump();
    this.#bus.tell({ conversations, inbox: false });
  }

  /** Answers in which conversations there is something new. */
  #keepAll(): ReadonlySet<number> {
    const batch = this.#unkept;
    this.#unkept = [];
    const outcomes = batch.length > 0 ? this.#keep(batch) : undefined;
    const conversations = new Set<number>();
    for (const [index, outcome] of (outcomes ?? []).entries()) {
      const message = batch[index];
      if (outcome === 'new' && message) conversations.add(message.conversation);
      if (outcome === 'taken') message?.refused(new WaxwingError('id_taken'));
      else message?.kept();
    }
    return conversations;
  }

  /** What became of each; undefined where none could be kept, and all know why. */
  #keep(batch: readonly Unkept[]): Kept[] | undefined {
    try {
      return this.#store.transaction(() => batch.map((message) => queueOnce(this.#store, message)));
    } catch (error) {
      for (const { refused } of batch) refused(error);
      return undefined;
    }
  }
}

/** `same`: it is there already. `taken`: another has its id. */
type Kept = 'new' | 'same' | 'taken';

function queueOnce(store: Store, message: Unkept): Kept {
  const { conversation, messageId, content, sentAtMs } = message;
  const pending = store.outbox.byId(messageId);
  const sent = pending ? undefined : store.messages.byId(messageId);
  if (!pending && !sent) {
    store.outbox.queue(conversation, messageId, content, sentAtMs);
    return 'new';
  }
  const before =
    pending?.content ?? encodeContent({ text: sent?.text ?? '', ...(sent?.replyTo && { replyTo: sent.replyTo }) });
  const isSame = (pending ?? sent)?.conversation === conversation && sameBytes(before, content) && sent?.own !== false;
  return isSame ? 'same' : 'taken';
}
