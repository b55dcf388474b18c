import { parentPort, workerData } from 'node:worker_threads';
import type { FilesOptions } from './calls.ts';
import { serveFiles } from './serve.ts';

// The entry of the thread that owns the files.
if (parentPort) serveFiles(parentPort, workerData as FilesOptions);
