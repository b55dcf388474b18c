import type { DirectoryStore } from '../directory-store.ts';
import type { DeviceKey } from '../device-key.ts';
import type { ArrivedEntry, DirectResult, MailboxPage, MailboxStore, SubmitResult } from '../mailbox-store.ts';
import type { PrekeyStore } from '../prekey-store.ts';
import type { StoreLimits } from '../store-limits.ts';

/** What the host asks of the relay's file: the methods of the contract, but those that need no file. */
export type RelayMethods = Omit<MailboxStore, 'listen'>;
/** What the host asks of the directory's file. */
export type DirectoryMethods = DirectoryStore & PrekeyStore;

type Asynchronous = (...args: never[]) => Promise<unknown>;
type RequestOf<Methods> = {
  [Name in keyof Methods]: { readonly name: Name; readonly args: Parameters<Extract<Methods[Name], Asynchronous>> };
}[keyof Methods];
export type RelayRequest = RequestOf<RelayMethods>;
export type DirectoryRequest = RequestOf<DirectoryMethods>;
export type Request = RelayRequest | DirectoryRequest;

/** The same methods, answering at once. */
export type Handlers<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => Promise<infer Value>
    ? (...args: Args) => Value
    : never;
};

export type Answer =
  | { readonly type: 'answer'; readonly value: unknown }
  | { readonly type: 'submitted'; readonly value: SubmitResult }
  | { readonly type: 'sent'; readonly value: DirectResult }
  | { readonly type: 'acked'; readonly value: AckResult }
  | { readonly type: 'page'; readonly value: MailboxPage }
  | { readonly type: 'store_full' }
  | { readonly type: 'fault'; readonly message: string };

/** An entry that the batch has put into the mailbox of a device for which somebody listens. */
export type Arrival = { readonly device: DeviceKey; readonly entry: ArrivedEntry };

type AckResult = Awaited<ReturnType<MailboxStore['ack']>>;

/** Host to worker. Time and randomness come with each batch. */
export type ToWorker =
  | {
      readonly type: 'batch';
      readonly nowMs: number;
      /** 32 random bytes: what the batch draws comes from them. */
      readonly seed: Uint8Array;
      /** Every call in order, as `call-codec.ts` packs them, transferred. */
      readonly calls: Uint8Array<ArrayBuffer>;
      /** Those of them that are not packed. */
      readonly others: readonly Request[];
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
      /** An answer for each call, and behind them the arrivals, as `call-codec.ts` packs them, transferred. */
      readonly answers: Uint8Array<ArrayBuffer>;
      /** Those of them that are not packed. */
      readonly others: readonly Answer[];
    }
  | { readonly type: 'closed' };

export type FilesOptions = {
  readonly folder: string;
  readonly restored: boolean;
  readonly limits: StoreLimits;
  readonly maxBytes?: number;
  /** 32 random bytes. */
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
} as const satisfies Record<keyof RelayMethods, true>;

export function isRelayRequest(request: Request): request is RelayRequest {
  return Object.hasOwn(relayCalls, request.name);
}

export function isDirectoryRequest(request: Request): request is DirectoryRequest {
  return !isRelayRequest(request);
}
