import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerOptions } from './calls.ts';
import { isUnwritable, lockFolder, prepareFolder } from './database.ts';
import { openDirectoryFile, type DirectoryFile } from './directory-file.ts';
import { processBatch } from './processor.ts';
import { openRelayFile, type RelayFile } from './relay-file.ts';
import { seededBytes } from './seeded-bytes.ts';

// The thread that owns the files. It answers batches; between them it writes to tables and sweeps, a step at a time.

/** So many records waiting for their tables call for a step without being told. */
const BACKLOG_RECORDS = 8_192;

type Files = { readonly relay: RelayFile; readonly directory: DirectoryFile; readonly unlock: () => void };

function openFiles({ folder, restored, limits, seed }: WorkerOptions): Files {
  prepareFolder(folder);
  const unlock = lockFolder(folder);
  try {
    const relay = openRelayFile({ folder, restored, randomBytes: seededBytes(seed), limits });
    const directory = openDirectoryFile({ folder, incarnation: relay.incarnation, limits });
    return { relay, directory, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

function serve(port: MessagePort, { relay, directory, unlock }: Files, options: WorkerOptions): void {
  const tell = (message: FromWorker): void => port.postMessage(message);
  let sweepMs: number | undefined;
  let writing = false;
  let scheduled = false;

  /** What a disk that cannot be written leaves undone is tried again when the host next says so. */
  const attempt = (step: () => boolean): boolean => {
    try {
      return step();
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      return false;
    }
  };
  const work = (): void => {
    scheduled = false;
    const nowMs = sweepMs;
    if (nowMs !== undefined && !attempt(() => relay.sweep(nowMs))) sweepMs = undefined;
    if (writing && !attempt(() => relay.step())) writing = false;
    schedule();
  };
  const schedule = (): void => {
    if (scheduled || (!writing && sweepMs === undefined)) return;
    scheduled = true;
    setImmediate(work);
  };

  port.on('message', (message: ToWorker) => {
    if (message.type === 'close') {
      relay.close();
      directory.close();
      unlock();
      tell({ type: 'closed' });
      port.close();
      return;
    }
    tell(processBatch(message, { relay, directory, limits: options.limits }));
    if (message.sweep) {
      sweepMs = message.nowMs;
      attempt(() => directory.sweep(message.nowMs));
    }
    if (message.write || (!writing && relay.backlog() > BACKLOG_RECORDS)) {
      relay.age();
      writing = true;
    }
    schedule();
  });
}

function main(port: MessagePort, options: WorkerOptions): void {
  let files: Files;
  try {
    files = openFiles(options);
  } catch (error) {
    port.postMessage({ type: 'refused', message: error instanceof Error ? error.message : 'cannot open' });
    return;
  }
  serve(port, files, options);
  port.postMessage({ type: 'opened' });
}

if (parentPort) main(parentPort, workerData);
