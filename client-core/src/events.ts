import type { AccountId, DeviceId, ErrorCode } from '@waxwing/protocol';
import type { ConversationId } from './conversation-id.ts';
import type { HoleReason } from './history/coverage.ts';

/** What happens on the device while one listens. What matters is also in the history. */
export type ClientEvent =
  /** Messages are missing: `count` of them, for this reason. */
  | {
      readonly type: 'hole';
      readonly conversation: ConversationId;
      readonly count: number;
      readonly reason: HoleReason;
    }
  /** A missing message came after all. */
  | { readonly type: 'holeFilled'; readonly conversation: ConversationId }
  /** Something that an honest server and honest contacts do not do. `what` holds no content. */
  | { readonly type: 'securityAlert'; readonly account: AccountId; readonly device?: DeviceId; readonly what: string }
  | { readonly type: 'identityChanged'; readonly account: AccountId }
  | { readonly type: 'deviceAdded'; readonly account: AccountId; readonly device: DeviceId }
  /** The connection ended; it comes back by itself. */
  | { readonly type: 'lostConnection'; readonly reason: string }
  /** The disk refused a commit; nothing was acknowledged, and it is tried again. */
  | { readonly type: 'storeFull' }
  /** A call to the server was refused and is tried again later. */
  | {
      readonly type: 'serverRefused';
      readonly code: ErrorCode | 'server_fault' | 'unreachable';
      readonly what: string;
    };

/** How many events wait for a listener that does not take them; then its oldest go. */
const BUFFERED_EVENTS = 1_000;

/** Gives each listener every event from the moment it asked. */
export class EventHub {
  readonly #listeners = new Set<(event: ClientEvent | undefined) => void>();
  #open = true;

  emit(event: ClientEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  close(): void {
    this.#open = false;
    for (const listener of [...this.#listeners]) listener(undefined);
  }

  listen(): AsyncIterableIterator<ClientEvent> {
    const waiting: ClientEvent[] = [];
    let ended = !this.#open;
    let wake: (() => void) | undefined;
    let asked: Promise<unknown> = Promise.resolve();
    const listener = (event: ClientEvent | undefined) => {
      if (event === undefined) ended = true;
      else if (waiting.push(event) > BUFFERED_EVENTS) waiting.shift();
      wake?.();
    };
    if (!ended) this.#listeners.add(listener);
    const end = () => {
      ended = true;
      this.#listeners.delete(listener);
      wake?.();
    };
    const next = async (): Promise<IteratorResult<ClientEvent>> => {
      for (;;) {
        const value = waiting.shift();
        if (value) return { done: false, value };
        if (ended) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      // Questions that are asked at once are answered in turn.
      next() {
        const answer = asked.then(next);
        asked = answer;
        return answer;
      },
      return() {
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
