import { MessageChannel, Worker } from 'node:worker_threads';
import type { FilesOptions, FromWorker, ToWorker } from './calls.ts';
import { serveFiles } from './serve.ts';

/** Who serves the files: a thread of its own, or the calling one. */
export type FilesThread = {
  /** What is named beside the message is handed over and not copied. */
  readonly post: (message: ToWorker, handedOver?: readonly ArrayBuffer[]) => void;
  /** Answers come here; set once, before the first post. */
  onMessage(hear: (message: FromWorker) => void): void;
  /** Resolves when the thread has ended, with its fault if it had one. */
  readonly ended: Promise<Error | undefined>;
};

/** Opens the files. Rejects with the reason if they cannot be opened. */
export async function openThread(options: FilesOptions, own: boolean): Promise<FilesThread> {
  const thread = own ? ownThread(options) : callingThread(options);
  const first = await Promise.race([
    new Promise<FromWorker>((resolve) => thread.onMessage(resolve)),
    thread.ended.then((fault): FromWorker => ({ type: 'refused', message: fault?.message ?? 'the thread has ended' })),
  ]);
  if (first.type === 'opened') return thread;
  await thread.ended;
  throw new Error(first.type === 'refused' ? first.message : 'the files were not opened');
}

/** Else it grows to 48 MB while many devices connect, and stays so: more than their mailboxes take. */
const resourceLimits = { maxYoungGenerationSizeMb: 24 };

function ownThread(workerData: FilesOptions): FilesThread {
  const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.dev.mjs' : './sqlite-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData, resourceLimits });
  let hear: (message: FromWorker) => void = () => undefined;
  worker.on('message', (message: FromWorker) => hear(message));
  return {
    post: (message, handedOver = []) => worker.postMessage(message, handedOver),
    onMessage: (next) => {
      hear = next;
    },
    ended: new Promise((resolve) => {
      worker.once('error', (error) => resolve(error instanceof Error ? error : new Error('the thread failed')));
      worker.once('exit', () => resolve(undefined));
    }),
  };
}

function callingThread(options: FilesOptions): FilesThread {
  const { port1, port2 } = new MessageChannel();
  let hear: (message: FromWorker) => void = () => undefined;
  port1.on('message', (message: FromWorker) => hear(message));
  const ended = new Promise<undefined>((resolve) => port1.once('close', () => resolve(undefined)));
  serveFiles(port2, options);
  return {
    post: (message, handedOver = []) => port1.postMessage(message, handedOver),
    onMessage: (next) => {
      hear = next;
    },
    ended,
  };
}
