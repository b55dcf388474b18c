import type { Writable } from 'node:stream';
import { OutputClosed } from './failure.ts';

/** A stream of lines that says when each has been handed over. */
export type Output = {
  /** Resolves when the line has left the process. Rejects with `OutputClosed` where nobody reads any more. */
  line(text: string): Promise<void>;
  /** One JSON value on a line of its own. */
  json(value: unknown): Promise<void>;
};

export function createOutput(stream: Writable): Output {
  stream.on('error', () => undefined);
  const line = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      stream.write(`${text}\n`, (error) => {
        if (!error) resolve();
        else reject(isClosed(error) ? new OutputClosed() : error);
      });
    });
  return { line, json: (value) => line(jsonLine(value)) };
}

function isClosed(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET';
}

/** JSON in which nothing but plain characters stands, so that a terminal takes none of them for a command. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
