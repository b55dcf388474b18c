import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Painter } from '../../../cli/src/chat/terminal/painter.ts';

const ESC = String.fromCodePoint(27);

function painted() {
  const stream = new PassThrough({ encoding: 'utf8' });
  const painter = new Painter(stream);
  const read = (): string => String(stream.read() ?? '').replaceAll(ESC, '^');
  return { painter, read };
}

describe('what is drawn on a terminal', () => {
  it('is the rows that changed, each at its place, and the cursor', () => {
    const { painter, read } = painted();
    painter.enter();
    painter.paint('one\ntwo\nthree', { row: 2, column: 5 });
    read();
    painter.paint('one\n2\nthree', { row: 0, column: 1 });
    expect(read()).toBe('^[?2026h^[?25l^[2;1H^[2K2^[0m^[1;2H^[?25h^[?2026l');
  });

  it('leaves nothing of rows that are gone', () => {
    const { painter, read } = painted();
    painter.enter();
    painter.paint('one\ntwo', { row: 0, column: 0 });
    read();
    painter.paint('one', { row: 0, column: 0 });
    expect(read()).toContain('^[2;1H^[2K');
  });

  it('is all of it again on a screen that is not as it was drawn', () => {
    const { painter, read } = painted();
    painter.enter();
    painter.paint('one\ntwo', { row: 0, column: 0 });
    painter.forget();
    read();
    painter.paint('one\ntwo', { row: 0, column: 0 });
    expect(read()).toMatch(/\[2J.*one.*two/);
  });

  it('is on a screen beside the one that was there, which is given back once', () => {
    const { painter, read } = painted();
    painter.enter();
    expect(read()).toMatch(/^\^\[\?1049h/);
    painter.leave();
    expect(read()).toMatch(/\^\[\?7h.*\^\[\?25h\^\[\?1049l$/);
    painter.leave();
    painter.paint('late', { row: 0, column: 0 });
    expect(read()).toBe('');
  });
});
