import type { DirectoryStore } from '../directory-store.ts';
import type { MailboxStore } from '../mailbox-store.ts';
import type { PrekeyStore } from '../prekey-store.ts';
import type { StoreLimits } from '../store-limits.ts';

type Call<Method extends (...args: never[]) => Promise<unknown>> = {
  readonly args: Parameters<Method>;
  readonly answer: Awaited<ReturnType<Method>>;
};

/** What the host asks of the relay's file, by the methods of the contract. */
export type RelayCalls = { readonly [Name in Exclude<keyof MailboxStore, 'listen'>]: Call<MailboxStore[Name]> };
/** What the host asks of the directory's file. */
export type DirectoryCalls = { readonly [Name in keyof DirectoryStore]: Call<DirectoryStore[Name]> } & {
  readonly [Name in keyof PrekeyStore]: Call<PrekeyStore[Name]>;
};
export type Calls = RelayCalls & DirectoryCalls;
export type CallName = keyof Calls;

type RequestOf<Names extends CallName> = {
  [Name in Names]: { readonly name: Name; readonly args: Calls[Name]['args'] };
}[Names];
export type RelayRequest = RequestOf<keyof RelayCalls>;
export type DirectoryRequest = RequestOf<keyof DirectoryCalls>;
export type Request = RelayRequest | DirectoryRequest;

/** One function for each call, which answers at once. */
export type Handlers<All extends Partial<Calls>> = {
  readonly [Name in keyof All & CallName]: (...args: Calls[Name]['args']) => Calls[Name]['answer'];
};

export type Answer =
  | { readonly type: 'answer'; readonly value: unknown }
  | { readonly type: 'store_full' }
  | { readonly type: 'fault'; readonly message: string };

/** Host to worker. Time and randomness come with each batch. */
export type ToWorker =
  | {
      readonly type: 'batch';
      readonly nowMs: number;
      /** 32 random bytes: what the batch draws comes from them. */
      readonly seed: Uint8Array;
      readonly requests: readonly Request[];
      /** Write to the tables what has waited. */
      readonly write: boolean;
      /** Look for what is past its time. */
      readonly sweep: boolean;
    }
  | { readonly type: 'close' };

/** Worker to host. */
export type FromWorker =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly message: string }
  | {
      readonly type: 'answers';
      readonly answers: readonly Answer[];
      /** The devices whose mailboxes got entries, by `deviceKeyText`. */
      readonly woken: readonly string[];
    }
  | { readonly type: 'closed' };

export type WorkerOptions = {
  readonly folder: string;
  readonly restored: boolean;
  readonly limits: StoreLimits;
  readonly seed: Uint8Array;
};

const relayCalls = {
  submit: true,
  submitDirect: true,
  open: true,
  read: true,
  ack: true,
  heads: true,
  entries: true,
  drop: true,
  check: true,
} as const satisfies Record<keyof RelayCalls, true>;

export function isRelayRequest(request: Request): request is RelayRequest {
  return Object.hasOwn(relayCalls, request.name);
}

export function isDirectoryRequest(request: Request): request is DirectoryRequest {
  return !isRelayRequest(request);
}
