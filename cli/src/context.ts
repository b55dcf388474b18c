import type { Runtime } from '@waxwing/protocol';
import type { Io } from './io.ts';
import type { Output } from './output.ts';

/** What every command works with. Data goes to `out`, everything else that is said to `err`. */
export type Context = {
  readonly io: Io;
  readonly runtime: Runtime;
  readonly out: Output;
  readonly err: Output;
  /** A line on `err`; never rejects, and nothing waits for it. */
  readonly say: (line: string) => void;
  /** How this program is called here: `waxwing`, or npm's way to it. */
  readonly self: string;
};
