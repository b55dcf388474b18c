import { sha256 } from '@waxwing/protocol';
import { firstList, accountNumber, handleNamed, type Person } from './people.ts';

/** Who and what takes part in the test that kills the storage: three accounts that write to each other in two handles. */
export function cast(): Person[] {
  return [1, 2, 3].map((n) => ({ account: accountNumber(n), list: firstList(accountNumber(n)) }));
}

export const handles = [handleNamed('one'), handleNamed('two')];

/** Nothing goes for want of room: every entry is looked for. */
export const roomy = { mailboxMaxEntries: 10_000_000, mailboxMaxBytes: 10_000_000_000, mailboxShareOfOneSender: 1 };

/** Only this one acks: what the others were sent must all be there. */
export const acker = 2;

/** The message id of a direct message. */
export function directNumber(from: number, id: number): number {
  return 10 * id + from;
}

/** The digest of a submit: the same in every run, whatever else differs. */
export function digestOf(from: number, handle: number, n: number): Uint8Array {
  return sha256(`${from}.${handle}.${n}`);
}

export type Start = {
  readonly folder: string;
  readonly thread: 'own' | 'calling';
  readonly seed: string;
  /** The next n by `<place in the cast>.<place in the handles>`. */
  readonly next: Readonly<Record<string, number>>;
  /** The next direct message by place in the cast. */
  readonly nextDirect: readonly number[];
};

/** What the child prints, a line each. */
export type Line =
  | { readonly said: 'open' }
  | {
      readonly said: 'accepted';
      readonly from: number;
      readonly handle: number;
      readonly n: number;
      readonly era: number;
      readonly number: number;
    }
  | { readonly said: 'direct'; readonly from: number; readonly id: number }
  /** Printed before the ack: from here on, what lies up to there may be gone. */
  | { readonly said: 'acking'; readonly upTo: number };
