import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputClosed } from '../../../cli/src/failure.ts';
import { createOutput } from '../../../cli/src/output.ts';

function collector(): { readonly stream: Writable; readonly text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
}

describe('a JSON line', () => {
  it('means what it was given, on one line, without a character that a terminal obeys', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const { stream, text: written } = collector();
        await createOutput(stream).json({ text });
        expect(JSON.parse(written())).toEqual({ text });
        expect(written().slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect(written().endsWith('\n')).toBe(true);
      }),
    );
  });
});

describe('a line', () => {
  it('is over when the stream has taken it, not before', async () => {
    const taken: (() => void)[] = [];
    const stream = new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) });
    let isOver = false;
    const line = createOutput(stream)
      .line('x')
      .then(() => (isOver = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    taken[0]?.();
    await line;
    expect(isOver).toBe(true);
  });

  it('that nobody reads any more says so', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    await expect(createOutput(stream).line('x')).rejects.toBeInstanceOf(OutputClosed);
  });

  it('that could not be written for another reason fails as that', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space'), { code: 'ENOSPC' })),
    });
    await expect(createOutput(stream).line('x')).rejects.toThrow('no space');
  });
});
