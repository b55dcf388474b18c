import { limits, type Accepted, type HeadsReply, type Rejected, type Timers } from '@waxwing/protocol';

export type Lost = { readonly type: 'lost' };
type Answers = { readonly submit: Accepted; readonly heads: HeadsReply };
type Settle<Kind extends keyof Answers> = (answer: Answers[Kind] | Rejected | Lost) => void;
type Pending = { readonly cancelTimeout: () => void } & (
  | { readonly kind: 'submit'; readonly settle: Settle<'submit'> }
  | { readonly kind: 'heads'; readonly settle: Settle<'heads'> }
);

/** The requests of one connection that wait for their answer. Each is settled exactly once. */
export class PendingRequests {
  readonly #timers: Timers;
  readonly #timedOut: () => void;
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  /** `timedOut` is called when an answer is `requestTimeoutMs` late; it should end the connection and call `lose`. */
  constructor(timers: Timers, timedOut: () => void) {
    this.#timers = timers;
    this.#timedOut = timedOut;
  }

  /** The request number to send. */
  openSubmit(settle: Settle<'submit'>): number {
    return this.#open({ kind: 'submit', settle, cancelTimeout: this.#timeout() });
  }

  openHeads(settle: Settle<'heads'>): number {
    return this.#open({ kind: 'heads', settle, cancelTimeout: this.#timeout() });
  }

  /** False for an answer of another kind than its request's: the relay is out of step. An unknown request is ignored. */
  answer(answer: Accepted | Rejected | HeadsReply): boolean {
    const pending = this.#pending.get(answer.request);
    if (!pending) return true;
    if (pending.kind === 'submit' && answer.type !== 'heads_reply') {
      this.#close(answer.request, pending);
      pending.settle(answer);
      return true;
    }
    if (pending.kind === 'heads' && answer.type !== 'accepted') {
      this.#close(answer.request, pending);
      pending.settle(answer);
      return true;
    }
    return false;
  }

  /** Settles all that wait as lost. */
  lose(): void {
    for (const [request, pending] of [...this.#pending]) {
      this.#close(request, pending);
      pending.settle({ type: 'lost' });
    }
  }

  #timeout(): () => void {
    return this.#timers.after(limits.requestTimeoutMs, this.#timedOut);
  }

  #open(pending: Pending): number {
    const request = ++this.#last;
    this.#pending.set(request, pending);
    return request;
  }

  #close(request: number, pending: Pending): void {
    this.#pending.delete(request);
    pending.cancelTimeout();
  }
}
