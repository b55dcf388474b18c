import type { Readable, Writable } from 'node:stream';

/** What a command has of the process that it runs in. */
export type Io = {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Asks to be told when a person or the system wants the process to end. From the first call on the first signal only
   * tells; the next one ends the process.
   */
  interrupted(): AbortSignal;
};
