import type { Runtime } from '@waxwing/protocol';
import { StoreFullError } from '../store-full-error.ts';
import type { Answer, Request } from './calls.ts';
import type { FilesThread } from './thread.ts';
import { tight } from './tight.ts';

/** What one batch holds at most. */
const CALLS_PER_BATCH = 512;
/** How long what was committed waits in memory before it is written to the tables. */
const WRITE_AFTER_MS = 500;
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
  readonly request: Request;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
};

export function createCaller(
  thread: FilesThread,
  o: { readonly runtime: Runtime; readonly onWoken: (devices: readonly string[]) => void },
): Caller {
  const { timers, clock, randomBytes } = o.runtime;
  let queue: Waiting[] = [];
  let inFlight: Waiting[] | undefined;
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
    inFlight = queue.splice(0, CALLS_PER_BATCH);
    const requests = inFlight.map(({ request }) => request);
    if (requests.length > 0 && !closing) cancelWrite ??= timers.after(WRITE_AFTER_MS, writeSoon);
    thread.post({ type: 'batch', nowMs: clock.now(), seed: tight(randomBytes(32)), requests, write, sweep });
    [write, sweep] = [false, false];
  };
  function writeSoon(): void {
    cancelWrite = undefined;
    write = true;
    pump();
  }
  function sweepSoon(): void {
    cancelSweep = timers.after(SWEEP_EVERY_MS, sweepSoon);
    sweep = true;
    pump();
  }

  thread.onMessage((message) => {
    if (message.type !== 'answers') return;
    const answered = inFlight ?? [];
    inFlight = undefined;
    answered.forEach((waiting, index) => settle(waiting, message.answers[index]));
    o.onWoken(message.woken);
    pump();
  });
  void thread.ended.then((fault) => {
    gone = fault ?? gone ?? new Error('the storage thread has ended');
    for (const { reject } of [...(inFlight ?? []), ...queue]) reject(gone);
    [inFlight, queue] = [undefined, []];
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
        queue.push({ request: tight(request), resolve, reject });
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

function settle({ resolve, reject }: Waiting, answer: Answer | undefined): void {
  switch (answer?.type) {
    case 'answer':
      resolve(answer.value);
      return;
    case 'store_full':
      reject(new StoreFullError());
      return;
    case 'fault':
      reject(new Error(answer.message));
      return;
    case undefined:
      reject(new Error('the storage thread left a call out'));
  }
}
