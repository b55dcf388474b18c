/**
 * Where a relay may kill itself.
 *
 * - `before-commit`: a submit has come, and is not given to the store
 * - `committed`: it is committed, `Accepted` is not sent
 * - `accepted`: `Accepted` was sent, the entry was read for the recipient and is not delivered
 * - `delivered`: it was delivered, and its ack has come and not gone to the store
 */
export const failpoints = ['before-commit', 'committed', 'accepted', 'delivered'] as const;
export type Failpoint = (typeof failpoints)[number];

/** What a composed relay is started with, as one JSON argument. */
export type RelayStart = {
  readonly folder: string;
  readonly origins: readonly string[];
  readonly pace: number;
  readonly failpoint?: { readonly at: Failpoint; readonly occurrence: number };
  /** Commits that do not wait for the disk: what a power cut then loses was said to be kept. */
  readonly unsynced?: true;
  /** Commits of the relay's file that are made some time after they are answered: what a kill then loses was said to be kept. */
  readonly late?: true;
  /** Mail expires two minutes before its time. */
  readonly early?: true;
  /** Open sockets beyond which it takes no more. */
  readonly maxConnections?: number;
};

/** What a client is started with, as one JSON argument. A file that is not there is made. */
export type ClientStart = {
  readonly server: string;
  readonly path: string;
  readonly keyFile: string;
  readonly pace: number;
  /** A client that waits for ever for a sign of life. */
  readonly deaf?: true;
};

/** One line of its input. `everyMs`: how long to wait after each message. */
export type ClientOrder =
  | { readonly do: 'send'; readonly peer: string; readonly texts: readonly string[]; readonly everyMs: number }
  | { readonly do: 'step'; readonly byMs: number }
  | { readonly do: 'connect' }
  | { readonly do: 'history'; readonly peer: string }
  | { readonly do: 'close' };
