import { beforeAll, describe, expect, it } from 'vitest';
import { pages, readPage, screensIn, withScreens } from '../support/chat-docs.ts';
import { playChat, type ChatScreens } from '../support/chat-play.ts';
import { whyNoTerminal } from '../support/cli-terminal.ts';

const missing = whyNoTerminal();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the chat in a terminal', () => {
  let screens: ChatScreens;

  beforeAll(async () => {
    screens = await playChat();
  }, 300_000);

  it.each(pages)('is as %s shows it', (page) => {
    expect(screensIn(readPage(page)).length).toBeGreaterThan(0);
    expect(readPage(page)).toBe(withScreens(readPage(page), screens));
  });

  it('shows how far own messages are', () => {
    expect(screens.sent).toMatch(/│ 12:34 ✓ +me {2}Low tide is at six/);
    expect(screens.alice).toMatch(/│ 12:34 read +me {2}Low tide is at six/);
  });

  it('counts what is new in a conversation that is not open', () => {
    expect(screens.unread).toMatch(/1 new 12:34 │/);
  });

  it('keeps its rows inside a narrow terminal, the list above', () => {
    for (const row of screens.narrow.split('\n')) expect(row.length).toBeLessThanOrEqual(50);
    expect(screens.narrow).not.toContain('│');
  });

  it('shows what is missing as a line of its own, and puts what comes late in its place', () => {
    const [hole, boots] = [screens.hole.indexOf('missing here'), screens.hole.indexOf('And boots.')];
    expect(hole).toBeGreaterThan(0);
    expect(hole).toBeLessThan(boots);
    const [lamp, late, after] = ['Take a lamp', 'came late', 'And boots.'].map((text) => screens.late.indexOf(text));
    expect(lamp).toBeGreaterThan(0);
    expect(lamp!).toBeLessThan(late!);
    expect(late!).toBeLessThan(after!);
  });
});

it('a terminal may be missing, but in CI it may not', () => {
  const nowhere = { PATH: '/nowhere' };
  expect(whyNoTerminal(nowhere)).toContain('tmux is not installed');
  expect(whyNoTerminal({ ...nowhere, CI: 'false' })).toContain('tmux is not installed');
  expect(whyNoTerminal({ ...nowhere, CI: 'true' })).toBeUndefined();
});
