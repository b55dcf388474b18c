import type { MessagePort } from 'node:worker_threads';
import type { FilesOptions, FromWorker, ToWorker } from './calls.ts';
import { isUnwritable, lockFolder, prepareFolder } from './database.ts';
import { openDirectoryFile, type DirectoryFile } from './directory-file.ts';
import { processBatch } from './processor.ts';
import { openRelayFile, type RelayFile } from './relay-file.ts';
import { seededBytes } from './seeded-bytes.ts';

/** So many records waiting for their tables call for a step without being told. */
const BACKLOG_RECORDS = 32_768;
/** How long SQLite's logs keep what was deleted, if nobody else reads the files. */
const EMPTY_LOGS_EVERY_MS = 60 * 60 * 1_000;

type Files = { readonly relay: RelayFile; readonly directory: DirectoryFile; readonly close: () => void };

/**
 * Opens the files of the folder and serves the host at the other end of the port: answers its batches, and between them
 * writes to tables and sweeps, a step at a time. First tells `opened`, or `refused` with the reason and nothing more.
 */
export function serveFiles(port: MessagePort, options: FilesOptions): void {
  const tell = (message: FromWorker): void => port.postMessage(message);
  try {
    serve(port, openFiles(options), options);
    tell({ type: 'opened' });
  } catch (error) {
    tell({ type: 'refused', message: error instanceof Error ? error.message : 'cannot open' });
    port.close();
  }
}

function openFiles({ folder, restored, limits, maxBytes, seed }: FilesOptions): Files {
  const opened: (() => void)[] = [];
  const close = (): void => {
    for (const each of opened.splice(0).reverse()) each();
  };
  try {
    prepareFolder(folder);
    opened.push(lockFolder(folder));
    const relay = openRelayFile({
      folder,
      restored,
      randomBytes: seededBytes(seed),
      limits,
      ...(maxBytes !== undefined && { maxBytes }),
    });
    opened.push(() => relay.close());
    const directory = openDirectoryFile({ folder, incarnation: relay.incarnation, restored, limits });
    opened.push(() => directory.close());
    return { relay, directory, close };
  } catch (error) {
    close();
    throw error;
  }
}

function serve(port: MessagePort, { relay, directory, close }: Files, { limits }: FilesOptions): void {
  const tell = (message: FromWorker): void => port.postMessage(message);
  let sweepMs: number | undefined;
  let emptiedMs: number | undefined;
  let writing = false;
  let scheduled = false;
  let closed = false;

  /** What a disk that cannot be written leaves undone is tried again when the host next says so. */
  const attempt = (step: () => boolean): boolean => {
    try {
      return step();
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      return false;
    }
  };
  const emptyLogs = (nowMs: number): void => {
    if (emptiedMs !== undefined && Math.abs(nowMs - emptiedMs) < EMPTY_LOGS_EVERY_MS) return;
    if (attempt(() => relay.emptyLog()) && attempt(() => directory.emptyLog())) emptiedMs = nowMs;
  };
  const work = (): void => {
    scheduled = false;
    if (closed) return;
    const nowMs = sweepMs;
    if (nowMs !== undefined && !attempt(() => relay.sweep(nowMs)) && !attempt(() => directory.sweep(nowMs))) {
      sweepMs = undefined;
      emptyLogs(nowMs);
    }
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
      closed = true;
      close();
      tell({ type: 'closed' });
      port.close();
      return;
    }
    const answers = processBatch(message, { relay, directory, limits });
    port.postMessage(answers, [answers.answers.buffer]);
    if (message.sweep) sweepMs = message.nowMs;
    if (message.write || (!writing && relay.backlog() > BACKLOG_RECORDS)) {
      relay.age();
      writing = true;
    }
    schedule();
  });
}
