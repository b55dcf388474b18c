#!/usr/bin/env node
import { runWaxwing } from './run.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let interruption: AbortController | undefined;

/** Once: the handlers are gone after the first signal, so that the next one ends the process. */
function interrupted(): AbortSignal {
  if (interruption === undefined) {
    const controller = new AbortController();
    interruption = controller;
    const stop = (): void => {
      for (const signal of signals) process.off(signal, stop);
      controller.abort();
    };
    for (const signal of signals) process.on(signal, stop);
  }
  return interruption.signal;
}

// Profiles and stores are their owner's alone.
process.umask(0o077);

const { stdin, stdout, stderr, env } = process;
const code = await runWaxwing(process.argv.slice(2), { stdin, stdout, stderr, env, interrupted });
// An open standard input would keep the process: every line was awaited, nothing is cut off.
process.exit(code);
