import { describe, expect, it } from 'vitest';
import { cells } from '../../../cli/src/chat/cells.ts';
import { historyCame, opened } from '../../../cli/src/chat/terminal/come.ts';
import { itemRows } from '../../../cli/src/chat/terminal/item-rows.ts';
import type { Key, KeyName } from '../../../cli/src/chat/terminal/keys.ts';
import { panesOf } from '../../../cli/src/chat/terminal/panes.ts';
import { press } from '../../../cli/src/chat/terminal/press.ts';
import { span, type Row } from '../../../cli/src/chat/terminal/row.ts';
import type { ChatState, Effect } from '../../../cli/src/chat/terminal/state.ts';
import { inkOf, newBelow, viewOf } from '../../../cli/src/chat/terminal/view.ts';
import { connectionWords } from '../../../cli/src/chat/terminal/wording.ts';
import { bob, carol, hole, idWith, message, setting, snapshot, talking } from '../../support/chat-state.ts';

type Done = { readonly state: ChatState; readonly effects: readonly Effect[] };

/** Types texts and presses keys, those between < and >. */
function typed(state: ChatState, ...keys: readonly string[]): Done {
  return keys.reduce<Done>(
    (done, key) => {
      const named = /^<([a-z-]+)>$/.exec(key)?.[1] as KeyName | undefined;
      const pressed: Key = named ? { type: 'press', name: named } : { type: 'text', text: key };
      const next = press(done.state, pressed, setting);
      return { state: next.state, effects: [...done.effects, ...next.effects] };
    },
    { state, effects: [] },
  );
}

const plain = (row: Row): string => row.map(({ text }) => text).join('');

/** The rows of the conversation that are seen, as text. */
function seen(state: ChatState): string[] {
  const { columns, rows } = panesOf(state, setting);
  return state.open ? viewOf(state.open, inkOf(state.open, setting, columns), rows).rows.map(plain) : [];
}

const many = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => message(from + index, `m${from + index}`));

describe('a line that is entered', () => {
  it('is sent to the open conversation and leaves the input', () => {
    const { state, effects } = typed(talking([]), 'hello', '<enter>');
    expect(effects).toEqual([{ type: 'send', text: 'hello' }]);
    expect(state.input).toMatchObject({ before: '', after: '', entered: ['hello'] });
  });

  it('of several lines is one message', () => {
    expect(typed(talking([]), 'one', '<new-line>', 'two\nthree', '<enter>').effects).toEqual([
      { type: 'send', text: 'one\ntwo\nthree' },
    ]);
  });

  it('stays where no conversation is open', () => {
    const { state, effects } = typed({ ...talking([]), open: undefined }, 'hello', '<enter>');
    expect(effects).toEqual([]);
    expect(state.input.before).toBe('hello');
    expect(state.notice).toContain('/open');
  });

  it.each<[string, Effect[]]>([
    ['/open carol', [{ type: 'find', user: 'carol' }]],
    ['/open 2', [{ type: 'open', id: idWith(carol) }]],
    ['//shrug', [{ type: 'send', text: '/shrug' }]],
    ['/quit', [{ type: 'leave' }]],
    ['/retry', [{ type: 'retry' }]],
    ['/nonsense', []],
    ['/open', []],
    ['   ', []],
  ])('%j asks for what it says', (line, effects) => {
    expect(typed(talking([]), line, '<enter>').effects).toEqual(effects);
  });
});

describe('between conversations', () => {
  it('the next and the one before are opened, around the ends', () => {
    const other = { type: 'open', id: idWith(carol) };
    expect(typed(talking([]), '<next>').effects).toEqual([other]);
    expect(typed(talking([]), '<previous>').effects).toEqual([other]);
  });

  it('what was being typed waits where it was typed', () => {
    const { state } = typed(talking([]), 'half');
    const away = opened(state, { id: idWith(carol), peer: carol });
    expect(away.input.before).toBe('');
    expect(opened(away, { id: idWith(bob), peer: bob }).input.before).toBe('half');
  });
});

describe('what is seen of a conversation', () => {
  it('is its end, and follows what comes', () => {
    const state = talking(many(50));
    expect(seen(state).at(-1)).toContain('m50');
    expect(seen(historyCame(state, snapshot(many(51)))).at(-1)).toContain('m51');
  });

  it('stays where it was scrolled to when more comes, says how much, and goes to it', () => {
    const { state } = typed(talking(many(50)), '<page-up>');
    const before = seen(state);
    const more = historyCame(state, snapshot(many(53)));
    expect(seen(more)).toEqual(before);
    expect(more.open && newBelow(more.open)).toBe(3);
    expect(seen(typed(more, '<escape>').state).at(-1)).toContain('m53');
  });

  it('moves by whole pages, up and down, and loses no row', () => {
    let state = talking(many(50));
    const pages = [seen(state)];
    for (let count = 0; count < 6; count += 1) {
      ({ state } = typed(state, '<page-up>'));
      pages.unshift(seen(state));
    }
    const rows = [...new Set(pages.flat())];
    expect(rows).toEqual([...new Set(itemsAsRows(many(50)))]);
    for (let count = 0; count < 6; count += 1) ({ state } = typed(state, '<page-down>'));
    expect(seen(state)).toEqual(pages.at(-1));
    expect(state.open?.anchor).toBeUndefined();
  });

  it('asks for older messages before its end is reached, and stays where it is when they come', () => {
    const few = { ...talking(many(20, 31)), size: { columns: 80, rows: 16 } };
    const start = historyCame(few, snapshot(many(20, 31), { hasOlder: true }));
    const { state, effects } = typed(start, '<page-up>');
    expect(effects).toEqual([{ type: 'load-older' }]);
    const before = seen(state).slice(1);
    expect(seen(historyCame(state, snapshot(many(50)))).slice(1)).toEqual(before);
  });

  it('finds its place again where an item is gone', () => {
    const items = [...many(30), hole(31), ...many(10, 33)];
    const { state } = typed(talking(items), '<line-up>');
    const gone = historyCame(state, snapshot(items.filter(({ id }) => id !== state.open?.anchor?.id)));
    expect(seen(gone).length).toBe(seen(state).length);
  });
});

function itemsAsRows(items: ReturnType<typeof many>): string[] {
  const state = talking(items, { columns: 80, rows: 1_000 });
  return seen(state);
}

describe('a message that comes late', () => {
  it('is marked where it stands, and one that is only loaded is not', () => {
    const [one, two, three, four] = many(4);
    const state = talking([one!, hole(2), three!]);
    const filled = historyCame(state, snapshot([one!, two!, three!, four!]));
    expect([...(filled.open?.late.keys() ?? [])]).toEqual([two!.id]);
    const rows = seen(filled);
    expect(rows.find((row) => row.includes('came late'))).toBe(rows[rows.findIndex((row) => row.includes('m2')) + 1]);
    const older = historyCame(talking([three!, four!]), snapshot([one!, two!, three!, four!]));
    expect(older.open?.late.size).toBe(0);
  });

  it('is not one that stands before an own message which is not sent yet', () => {
    const [one, two] = many(2);
    const pending = message(9, 'mine', 'queued');
    const state = historyCame(talking([one!, pending]), snapshot([one!, two!, pending]));
    expect(state.open?.late.size).toBe(0);
  });
});

describe('rows', () => {
  it.each([
    ['queued', '…'],
    ['sent', '✓ '],
    ['delivered', '✓✓'],
    ['read', 'read'],
    ['failed', '✗'],
  ] as const)('say of an own message that it is %s', (state, mark) => {
    expect(seen(talking([message(1, 'hi', state)])).join('\n')).toMatch(new RegExp(`12:34 ${mark} +me {2}hi`));
  });

  it('say why a message failed, and what to press', () => {
    expect(seen(talking([message(1, 'hi', 'failed')])).join('\n')).toMatch(/too_large[^]*Ctrl-R/);
  });

  it('are as wide as there is room, whatever is in them', () => {
    const text = `${'你好 '.repeat(30)}${'x'.repeat(100)} 👨‍👩‍👧`;
    for (const columns of [16, 25, 52]) {
      const ink = { people: setting.people, colour: false, nameColumns: 3, columns };
      for (const row of itemRows(message(1, text), ink, { beginsDay: false })) {
        expect(cells(plain(row))).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('hold nothing that a terminal obeys', () => {
    const evil = 'a\u001b[2J\u009b1mb\u0007\rc\u202ed\u0000';
    expect(span(evil).text).toBe('a[2J1mb cd');
    const alert: Parameters<typeof itemRows>[0] = {
      kind: 'alert',
      id: 'x',
      account: bob,
      what: evil,
      time: new Date(),
    };
    for (const row of [message(1, evil), alert]) {
      const state = talking([row]);
      expect(seen(state).join('')).not.toMatch(/\p{Cc}|\u202e/u);
    }
  });
});

describe('the connection', () => {
  it('is not spoken of while it is well', () => {
    expect(connectionWords({ state: 'online' })).toBeUndefined();
  });

  it('says why it is away, and when it is tried again', () => {
    const words = connectionWords({
      state: 'offline',
      reason: 'heartbeat_lost',
      retryAt: new Date(2026, 5, 1, 9, 8, 7),
    });
    expect(words).toBe('offline: the server went silent; next try at 09:08:07');
  });
});
