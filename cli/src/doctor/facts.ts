import type { ServeSettings } from '../settings/serve-settings.ts';

/** What was seen of this machine, a server, its folder, a profile. Looking changes nothing that matters and judges nothing. */
export type Facts = {
  readonly machine: MachineFacts;
  /** Absent where nothing says how a server is set up here. */
  readonly settings?: ServeSettings | { readonly wrong: readonly string[] };
  readonly server?: ServerFacts;
  readonly admin?: AdminFacts;
  readonly data?: DataFacts;
  readonly profile?: ProfileFacts;
};

export type MachineFacts = {
  readonly node: string;
  /** How many files a process may have open; absent where that cannot be told. */
  readonly openFiles?: number;
};

export type ServerFacts = {
  /** The origin that was dialled. */
  readonly url: string;
  readonly answer:
    | { readonly type: 'none'; readonly why: Silence; readonly detail: string }
    | { readonly type: 'moved'; readonly to: string }
    | { readonly type: 'foreign'; readonly status: number }
    | {
        readonly type: 'waxwing';
        readonly versions: readonly number[];
        /** The origin that it takes tokens for. */
        readonly keys: string;
        /** Its clock less this machine's; absent where it says no time. */
        readonly aheadMs?: number;
      };
  /** Absent where no Waxwing server answered. */
  readonly socket?: SocketFacts;
  /** Where what is for the operator alone answers by a name that is not this machine's own. */
  readonly adminAt?: string;
};

export type Silence = 'refused' | 'unknown_host' | 'certificate' | 'timeout' | 'failed';

export type SocketFacts =
  | { readonly type: 'challenge' }
  /** An HTTP answer in place of a WebSocket. `code` is that of a problem document. */
  | { readonly type: 'answered'; readonly status: number; readonly code?: string }
  | { readonly type: 'unnamed' }
  | { readonly type: 'silent' }
  | { readonly type: 'failed'; readonly detail: string };

export type AdminFacts = { readonly url: string; readonly state: 'ready' | 'not_ready' | 'silent' | 'foreign' };

export type DataFacts = {
  readonly folder: string;
  readonly state: 'missing' | 'no_folder' | 'closed' | 'there';
  /** What others than its owner may read or enter: the folder, or files in it. */
  readonly open: readonly string[];
  readonly isTemporary: boolean;
  readonly freeBytes?: number;
};

export type ProfileFacts = {
  readonly folder: string;
  /** Files that others than their owner may read. */
  readonly open: readonly string[];
  readonly isUnfinished: boolean;
  readonly device:
    | { readonly type: 'there'; readonly server: string }
    | { readonly type: 'none' }
    | { readonly type: 'no_key' }
    | { readonly type: 'bad_key'; readonly bytes: number }
    /** The code with which its file is refused. */
    | { readonly type: 'refused'; readonly code: string };
  /** What the server said to the device; absent where it was not asked. */
  readonly said?: 'ok' | (string & {});
};
