import type { Runtime } from '@waxwing/protocol';
import { StoreFullError } from '../store-full-error.ts';
import { createByteReader, createByteWriter, type ByteWriter } from './byte-codec.ts';
import { readAnswer, readArrivals, writeCall } from './call-codec.ts';
import type { Answer, Arrival, Request } from './calls.ts';
import type { IsHeard } from './submit-codec.ts';
import type { FilesThread } from './thread.ts';
import { tight } from './tight.ts';

/** What one batch holds at most. */
const CALLS_PER_BATCH = 512;
/** How long what was committed waits in memory before it is written to the tables. */
const WRITE_AFTER_MS = 1_000;
/** How often what is past its time is looked for. */
const SWEEP_EVERY_MS = 60_000;

/**
 * Calls on their way to the thread that owns the files. One batch is in flight; what comes meanwhile is the next batch,
 * so that the slower the disk, the more calls share a commit.
 */
export type Caller = {
  /** Resolves with what the method answered. Rejects with StoreFullError where the files cannot be written, else with the thread's fault. */
  call(request: Request): Promise<unknown>;
  /** Answers every call made before, then ends the thread. Idempotent. */
  close(): Promise<void>;
};

type Waiting = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
};

/** Calls that will travel together: who waits for them, and their bytes so far. */
type Batch = { readonly waiting: Waiting[]; readonly calls: ByteWriter; readonly others: Request[] };

export function createCaller(
  thread: FilesThread,
  o: { readonly runtime: Runtime; readonly isHeard: IsHeard; readonly onArrived: (arrival: Arrival) => void },
): Caller {
  const { timers, clock, randomBytes } = o.runtime;
  const queue: Batch[] = [];
  let inFlight: readonly Waiting[] | undefined;
  /** Writers whose bytes have been handed over. */
  const spare: ByteWriter[] = [];
  let [write, sweep] = [false, false];
  let closing = false;
  let gone: Error | undefined;
  let cancelWrite: (() => void) | undefined;
  let cancelSweep = timers.after(SWEEP_EVERY_MS, sweepSoon);

  const pump = (): void => {
    if (inFlight || gone) return;
    if (queue.length === 0 && closing) {
      gone = new Error('the storage is closed');
      thread.post({ type: 'close' });
      return;
    }
    if (queue.length === 0 && !write && !sweep) return;
    const { waiting, calls, others } = queue.shift() ?? openBatch();
    inFlight = waiting;
    if (waiting.length > 0 && !closing) cancelWrite ??= timers.after(WRITE_AFTER_MS, writeSoon);
    const packed = new Uint8Array(calls.finish());
    calls.cutTo(0);
    if (spare.length === 0) spare.push(calls);
    const seed = tight(randomBytes(32));
    thread.post({ type: 'batch', nowMs: clock.now(), seed, calls: packed, others, write, sweep }, [packed.buffer]);
    [write, sweep] = [false, false];
  };
  const openBatch = (): Batch => ({ waiting: [], calls: spare.pop() ?? createByteWriter(), others: [] });
  /** The batch that is next to be added to. */
  const lastBatch = (): Batch => {
    const last = queue.at(-1);
    if (last && last.waiting.length < CALLS_PER_BATCH) return last;
    const next = openBatch();
    queue.push(next);
    return next;
  };
  function writeSoon(): void {
    cancelWrite = undefined;
    write = true;
    pump();
  }
  function sweepSoon(): void {
    cancelSweep = timers.after(SWEEP_EVERY_MS, sweepSoon);
    // What nobody's call writes any more is written too, or it would never be swept.
    write = true;
    sweep = true;
    pump();
  }

  thread.onMessage((message) => {
    if (message.type !== 'answers') return;
    const answered = inFlight ?? [];
    inFlight = undefined;
    const reader = createByteReader(message.answers);
    let next = 0;
    const other = (): Answer => message.others[next++] ?? leftOut;
    for (const waiting of answered) settle(waiting, readAnswer(reader, other));
    for (const arrival of readArrivals(reader)) o.onArrived(arrival);
    pump();
  });
  void thread.ended.then((fault) => {
    gone = fault ?? gone ?? new Error('the storage thread has ended');
    for (const { reject } of [...(inFlight ?? []), ...queue.flatMap(({ waiting }) => waiting)]) reject(gone);
    inFlight = undefined;
    queue.length = 0;
  });

  return {
    call: (request) =>
      new Promise((resolve, reject) => {
        if (gone || closing) {
          reject(gone ?? new Error('the storage is closed'));
          return;
        }
        // The calls of one turn of the event loop travel together.
        if (queue.length === 0 && !inFlight) setImmediate(pump);
        const { waiting, calls, others } = lastBatch();
        const before = calls.length;
        try {
          if (!writeCall(calls, request, o.isHeard)) others.push(tight(request));
          waiting.push({ resolve, reject });
        } catch (error) {
          calls.cutTo(before);
          throw error;
        }
      }),
    async close() {
      closing = true;
      cancelSweep();
      cancelWrite?.();
      pump();
      await thread.ended;
    },
  };
}

const leftOut: Answer = { type: 'fault', message: 'the storage thread left a call out' };

function settle({ resolve, reject }: Waiting, answer: Answer): void {
  switch (answer.type) {
    case 'answer':
    case 'submitted':
    case 'sent':
    case 'acked':
    case 'page':
      resolve(answer.value);
      return;
    case 'store_full':
      reject(new StoreFullError());
      return;
    case 'fault':
      reject(new Error(answer.message));
  }
}
