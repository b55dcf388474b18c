import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { Frames } from '../../../cli/src/chat/terminal/frames.ts';
import type { Key } from '../../../cli/src/chat/terminal/keys.ts';
import type { ChatState, Setting } from '../../../cli/src/chat/terminal/state.ts';
import { openWindow, type Window } from '../../../cli/src/chat/terminal/window.tsx';
import type { Terminal } from '../../../cli/src/chat/terminal.ts';
import { createManualRuntime } from '../../kit/src/manual-runtime.ts';
import { bob, carol, hole, message, setting, summary, talking } from '../../support/chat-state.ts';

const ESC = String.fromCodePoint(27);
const drawnRow = new RegExp(`${ESC}\\[(\\d+);1H${ESC}\\[2K([^]*?)(?=${ESC}\\[\\d+;\\d+H)`, 'g');
const style = new RegExp(`${ESC}\\[[\\d;]*m`, 'g');

/** A terminal that keeps what was drawn at each row, and counts the frames. */
function fakeTerminal(size: ChatState['size']) {
  const rows: string[] = [];
  let frames = 0;
  const stdout = Object.assign(new EventEmitter(), {
    ...size,
    write(text: string): boolean {
      if (text.includes(`${ESC}[2J`)) rows.length = 0;
      if (text.startsWith(`${ESC}[?2026h`)) frames += 1;
      for (const [, row = '', drawn = ''] of text.matchAll(drawnRow)) {
        rows[Number(row) - 1] = drawn;
      }
      return true;
    },
  });
  const stdin = Object.assign(new PassThrough(), { setRawMode: () => undefined });
  return {
    terminal: { stdin, stdout } as unknown as Terminal,
    stdin,
    frames: () => frames,
    raw: () => rows.join('\n'),
    text: () => rows.map((row) => row.replace(style, '').trimEnd()).join('\n'),
  };
}

let window: Window | undefined;
afterEach(() => window?.close());

/** What is drawn of a state. */
function drawn(state: ChatState, how: Setting = setting) {
  const runtime = createManualRuntime({ seed: 1 });
  const frames = new Frames(state, runtime);
  const fake = fakeTerminal(state.size);
  const keys: Key[] = [];
  window = openWindow(fake.terminal, frames, how, { key: (key) => keys.push(key), size: () => undefined });
  return { ...fake, chat: frames, runtime, keys };
}

describe('the screen', () => {
  it('is the list, the conversation and the input, each in its place', () => {
    const state = {
      ...talking([message(1, 'hi'), message(2, 'ho', 'delivered'), hole(3), message(4, 'hey')], {
        columns: 70,
        rows: 10,
      }),
      conversations: [summary(bob, { lastMessage: message(4, 'hey') }), summary(carol, { unread: 2 })],
    };
    const rule = '─'.repeat(26);
    expect(drawn(state).text().split('\n')).toEqual([
      ' alice                    │ bob  00000000',
      `${rule}┼${'─'.repeat(43)}`,
      '›bob           them 12:34 │ ── Monday 1 June 2026 ──',
      ' carol              2 new │ 12:34      bob  hi',
      '                          │ 12:34 ✓✓    me  ho',
      '                          │       ── 2 messages are missing here: the',
      '                          │       server lost it; asked for again ──',
      '                          │ 12:34      bob  hey',
      `${rule}┴${'─'.repeat(43)}`,
      'bob>',
    ]);
  });

  it('has no row that is too wide for what stands beside it, whatever people write', () => {
    const { text } = drawn(talking([message(1, `${'你好👨‍👩‍👧'.repeat(30)} مرحبا`), message(2, 'x'.repeat(300), 'sent')]));
    const rows = text().split('\n');
    expect(rows).toHaveLength(16);
    for (const row of rows.slice(2, -2)) expect(row[26]).toBe('│');
  });

  it('lets nothing through that a terminal obeys', () => {
    const evil = 'a\u001b[2J\u009b31mb\u0007\u202e';
    const named: Setting = { ...setting, people: { ...setting.people, nameOf: () => evil }, title: evil };
    const state = {
      ...talking([message(1, evil)]),
      notice: evil,
      connection: { state: 'offline', reason: evil } as const,
    };
    const { raw } = drawn(state, named);
    expect(raw()).toContain('a[2J31mb');
    expect(raw().replace(style, '')).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  });

  it('has colours, but none where there are to be none', () => {
    const state = talking([message(1, 'hi', 'read')]);
    expect(drawn(state).text()).toContain('12:34 read  me  hi');
    window?.close();
    expect(drawn(state, { ...setting, colour: true }).text()).toContain('12:34 ✓✓  me  hi');
  });

  it('is drawn once for a thousand messages that come at a time', () => {
    const { chat, frames, runtime } = drawn(talking([]));
    const before = frames();
    for (let count = 1; count <= 1_000; count += 1) chat.set(talking([message(count, `m${count}`)]));
    runtime.advance(1_000);
    expect(frames() - before).toBeLessThanOrEqual(2);
  });

  it('gives keys only while it is open', () => {
    const { stdin, keys } = drawn(talking([]));
    stdin.write('a');
    window?.close();
    stdin.write('b');
    expect(keys).toEqual([{ type: 'text', text: 'a' }]);
  });
});
