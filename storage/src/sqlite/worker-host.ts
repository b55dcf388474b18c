import { Worker } from 'node:worker_threads';
import type { Runtime } from '@waxwing/protocol';
import { StoreFullError } from '../store-full-error.ts';
import type { Answer, CallName, Calls, FromWorker, Request, ToWorker, WorkerOptions } from './calls.ts';
import { tight } from './tight.ts';

/** What one batch holds at most. */
const CALLS_PER_BATCH = 512;
/** How long what was committed waits in memory before it is written to the tables. */
const WRITE_AFTER_MS = 500;
/** How often what is past its time is looked for. */
const SWEEP_EVERY_MS = 60_000;

/** The thread that owns the files, and the calls on their way to it: one batch at a time, the rest is the next one. */
export type WorkerHost = {
  /** Rejects with StoreFullError where the files cannot be written, and with an Error where the thread is gone. */
  call<Name extends CallName>(name: Name, ...args: Calls[Name]['args']): Promise<Calls[Name]['answer']>;
  /** Answers every call made before, then ends the thread. Idempotent. */
  close(): Promise<void>;
};

type Waiting = {
  readonly request: Request;
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
};

/** Starts the thread. Rejects with its reason if it cannot open the files. */
export async function startWorker(
  options: Omit<WorkerOptions, 'seed'>,
  o: { readonly runtime: Runtime; readonly onWoken: (devices: readonly string[]) => void },
): Promise<WorkerHost> {
  const { runtime } = o;
  const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.dev.mjs' : './sqlite-worker.js';
  const workerData = { ...options, seed: tight(runtime.randomBytes(32)) } satisfies WorkerOptions;
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  await opened(worker, ended);

  let queue: Waiting[] = [];
  let inFlight: Waiting[] = [];
  let busy = false;
  let [write, sweep] = [false, false];
  let closing: Promise<void> | undefined;
  let gone: Error | undefined;
  let cancelWrite: (() => void) | undefined;
  let cancelSweep = runtime.timers.after(SWEEP_EVERY_MS, sweepSoon);

  const post = (message: ToWorker): void => worker.postMessage(message);
  const pump = (): void => {
    if (busy || gone || (queue.length === 0 && !write && !sweep)) return;
    inFlight = queue.slice(0, CALLS_PER_BATCH);
    queue = queue.slice(CALLS_PER_BATCH);
    busy = true;
    const requests = inFlight.map(({ request }) => request);
    const seed = tight(runtime.randomBytes(32));
    post({ type: 'batch', nowMs: runtime.clock.now(), seed, requests, write, sweep });
    [write, sweep] = [false, false];
    if (requests.length > 0) cancelWrite ??= runtime.timers.after(WRITE_AFTER_MS, writeSoon);
  };
  function writeSoon(): void {
    cancelWrite = undefined;
    write = true;
    pump();
  }
  function sweepSoon(): void {
    cancelSweep = runtime.timers.after(SWEEP_EVERY_MS, sweepSoon);
    sweep = true;
    pump();
  }
  const fail = (error: Error): void => {
    gone ??= error;
    const lost = [...inFlight, ...queue];
    [inFlight, queue] = [[], []];
    for (const waiting of lost) waiting.fail(error);
  };

  worker.on('message', (message: FromWorker) => {
    if (message.type !== 'answers') return;
    const answered = inFlight;
    inFlight = [];
    busy = false;
    answered.forEach(({ settle }, index) => settle(message.answers[index] ?? { type: 'fault', message: 'no answer' }));
    o.onWoken(message.woken);
    if (closing && queue.length === 0) post({ type: 'close' });
    else pump();
  });
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error('the storage thread failed')));
  worker.on('exit', () => fail(new Error('the storage thread has ended')));

  return {
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        if (gone ?? closing) {
          reject(gone ?? new Error('the storage is closed'));
          return;
        }
        queue.push({
          request: toRequest(name, tight(args)),
          // The worker answers each request in the type of its call.
          settle: (answer) => settle(answer, (value) => resolve(value as Calls[typeof name]['answer']), reject),
          fail: reject,
        });
        // The calls of one turn of the event loop travel together.
        if (queue.length === 1) setImmediate(pump);
      }),
    close() {
      closing ??= (async () => {
        cancelSweep();
        cancelWrite?.();
        if (!busy && !gone && queue.length === 0) post({ type: 'close' });
        else pump();
        await ended;
      })();
      return closing;
    },
  };
}

function opened(worker: Worker, ended: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromWorker) => {
      worker.off('error', reject);
      if (message.type === 'opened') resolve();
      else {
        const reason = message.type === 'refused' ? message.message : 'the storage thread did not open';
        void ended.then(() => reject(new Error(reason)));
      }
    });
  });
}

function settle(answer: Answer, resolve: (value: unknown) => void, reject: (error: Error) => void): void {
  switch (answer.type) {
    case 'answer':
      resolve(answer.value);
      return;
    case 'store_full':
      reject(new StoreFullError());
      return;
    case 'fault':
      reject(new Error(answer.message));
      return;
  }
}

function toRequest<Name extends CallName>(name: Name, args: Calls[Name]['args']): Request {
  return { name, args } as unknown as Request;
}
