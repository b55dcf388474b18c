import { cells, cellsOf, graphemes } from '../cells.ts';
import { printable } from '../../printable.ts';
import type { InputLine } from './input-line.ts';
import type { Size } from '../terminal.ts';
import type { ChatState, Setting } from './state.ts';
import { connectionWords } from './wording.ts';

/** Where things are on the screen, in columns and rows. */
export type Panes = {
  /** The list stands above the conversation, not beside it. */
  readonly isNarrow: boolean;
  /** Nothing is shown but the input: there is no room. */
  readonly listColumns: number;
  readonly listRows: number;
  readonly columns: number;
  readonly rows: number;
  readonly input: InputRows;
};

/** The input as it is folded: its rows, those of them that are seen, and the cursor among these. */
export type InputRows = {
  readonly rows: readonly string[];
  readonly cursor: { readonly row: number; readonly column: number };
};

const NARROW_COLUMNS = 60;
const LIST_COLUMNS = 26;
const NARROW_LIST_ROWS = 3;
const MOST_INPUT_ROWS = 6;
/** The title and the line under it. */
const HEAD_ROWS = 2;

export function panesOf(state: ChatState, setting: Setting): Panes {
  const { size } = state;
  const isNarrow = size.columns < NARROW_COLUMNS;
  const input = inputRows(state.input, prompt(state, setting), size);
  // The line above the input, what stands between them, and the input.
  const foot = 1 + statusLines(state).length + input.rows.length;
  const body = Math.max(1, size.rows - foot);
  if (!isNarrow) {
    const rows = Math.max(1, body - HEAD_ROWS);
    return {
      isNarrow,
      listColumns: LIST_COLUMNS,
      listRows: rows,
      columns: Math.max(2, size.columns - LIST_COLUMNS - 2),
      rows,
      input,
    };
  }
  const wanted = Math.min(NARROW_LIST_ROWS, Math.max(1, state.conversations.length));
  // A low terminal shows no list: the conversation comes first.
  const listRows = body - HEAD_ROWS - wanted >= 4 ? wanted : 0;
  return {
    isNarrow,
    listColumns: size.columns,
    listRows,
    columns: size.columns,
    rows: Math.max(1, body - listRows - HEAD_ROWS),
    input,
  };
}

/** The lines between conversation and input: how the connection is if it is not well, and what was said last. */
export function statusLines({ connection, notice }: ChatState): { readonly text: string; readonly isBad: boolean }[] {
  const words = connectionWords(connection);
  return [
    ...(words === undefined ? [] : [{ text: words, isBad: connection.state !== 'catching-up' }]),
    ...(notice ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((text) => ({ text, isBad: false })),
  ];
}

/** What stands before the text being typed. */
function prompt({ open }: ChatState, { people }: Setting): string {
  return open ? `${people.nameOf(open.peer)}> ` : '> ';
}

/** Folds the input at the width, wherever that is in a word, so that the cursor is where one expects it. */
function inputRows(line: InputLine, before: string, { columns, rows: height }: Size): InputRows {
  const rows: string[] = [];
  let row = before;
  let width = cells(before);
  const put = (text: string): void => {
    for (const grapheme of graphemes(printable(text))) {
      const size = cellsOf(grapheme);
      if (grapheme === '\n' || width + size > columns - 1) {
        rows.push(row);
        [row, width] = ['', 0];
      }
      if (grapheme === '\n') continue;
      row += grapheme;
      width += size;
    }
  };
  put(line.before);
  const cursor = { row: rows.length, column: width };
  put(line.after);
  rows.push(row);
  const most = Math.max(1, Math.min(MOST_INPUT_ROWS, Math.floor(height / 3)));
  const from = Math.max(0, Math.min(cursor.row - most + 1, rows.length - most));
  return { rows: rows.slice(from, from + most), cursor: { row: cursor.row - from, column: cursor.column } };
}
