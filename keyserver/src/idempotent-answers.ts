import { limits, type Clock } from '@waxwing/protocol';
import { refused, type Outcome } from './refusal.ts';

type Remembered<T> = {
  readonly requestHash: string;
  readonly outcome: Promise<Outcome<T>>;
  readonly forgetAtMs: number;
  bytes: number;
};

type Bounds = { readonly answers: number; readonly bytes: number };

/**
 * Answers by Idempotency-Key, for `idempotencyKeyMs` from the first request. The same key and request give the same
 * answer, also while the first is still at work; the same key with another request is `idempotency_conflict`. A refusal or
 * a failure is not remembered: the next request with the key works anew.
 */
export type IdempotentAnswers<T> = {
  /** Without a key, works every time. `scope` keeps the keys of different callers apart. */
  once(
    scope: string,
    key: string | undefined,
    requestHash: string,
    work: () => Promise<Outcome<T>>,
  ): Promise<Outcome<T>>;
};

/**
 * Bounded in answers and in bytes; `weigh` tells the size of an answer. Beyond, the oldest is forgotten, and a repeat of it
 * is worked anew.
 */
export function createIdempotentAnswers<T>(
  clock: Clock,
  weigh: (body: T) => number,
  max: Bounds = { answers: limits.idempotentAnswersMax, bytes: limits.idempotentAnswersMaxBytes },
): IdempotentAnswers<T> {
  /** Oldest first. */
  const answers = new Map<string, Remembered<T>>();
  let bytesInAll = 0;

  const forget = (name: string, entry: Remembered<T>): void => {
    if (answers.get(name) !== entry) return;
    answers.delete(name);
    bytesInAll -= entry.bytes;
  };
  const forgetOld = (): void => {
    const nowMs = clock.now();
    for (const [name, entry] of answers) {
      if (entry.forgetAtMs > nowMs && answers.size <= max.answers && bytesInAll <= max.bytes) break;
      forget(name, entry);
    }
  };
  const settle = (name: string, entry: Remembered<T>, outcome: Outcome<T>): void => {
    if (outcome.type === 'refused') forget(name, entry);
    if (answers.get(name) !== entry || outcome.type === 'refused') return;
    entry.bytes = weigh(outcome.body);
    bytesInAll += entry.bytes;
    forgetOld();
  };

  return {
    once(scope, key, requestHash, work) {
      if (key === undefined) return work();
      forgetOld();
      const name = `${scope}\n${key}`;
      const known = answers.get(name);
      if (known?.requestHash === requestHash) return known.outcome;
      if (known) return Promise.resolve(refused('idempotency_conflict'));
      const entry: Remembered<T> = {
        requestHash,
        outcome: work(),
        forgetAtMs: clock.now() + limits.idempotencyKeyMs,
        bytes: 0,
      };
      answers.set(name, entry);
      entry.outcome.then(
        (outcome) => settle(name, entry, outcome),
        () => forget(name, entry),
      );
      return entry.outcome;
    },
  };
}
