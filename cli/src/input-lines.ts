import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { WrongUse } from './failure.ts';

/** A text of the largest size, every byte of it escaped as JSON. */
const LINE_MAX_CHARACTERS = 512 * 1024;

/** The lines of a stream without their ends, LF or CR LF, the last one with or without it. Empty ones are left out. */
export async function* inputLines(stream: Readable): AsyncGenerator<{ readonly line: string; readonly at: number }> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let at = 0;
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(toBuffer(chunk));
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      at += 1;
      if (line.length > LINE_MAX_CHARACTERS) throw tooLong(at);
      if (line !== '') yield { line, at };
    }
    if (rest.length > LINE_MAX_CHARACTERS) throw tooLong(at + 1);
  }
  rest += decoder.end();
  if (rest !== '') yield { line: rest.replace(/\r$/, ''), at: at + 1 };
}

function tooLong(at: number): WrongUse {
  return new WrongUse(`line ${at} of the input is longer than ${LINE_MAX_CHARACTERS} characters`);
}

function toBuffer(chunk: unknown): Buffer {
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('a stream of something else than bytes');
}
