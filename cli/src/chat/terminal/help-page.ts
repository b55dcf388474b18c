import { fold } from '../cells.ts';
import { commands } from './command.ts';
import { span, type Row } from './row.ts';

const keys: readonly (readonly [key: string, does: string])[] = [
  ['Tab, Shift-Tab', 'the next conversation, the one before; also Ctrl-N, Ctrl-P'],
  ['PgUp, PgDn', 'older messages, newer ones; Esc goes to the newest'],
  ['Up, Down', 'what you entered before'],
  ['Ctrl-A E U W K Y', 'begin, end, cut to the begin, a word, to the end; put back'],
  ['Alt-Enter', 'a new line in the message; also Ctrl-J'],
  ['Ctrl-R', 'send again what failed'],
  ['Ctrl-L', 'draw the screen again'],
  ['Ctrl-C', 'leave; what is not sent yet goes next time'],
];

/** What stands before an own message, and what it means. */
const marks = (colour: boolean): readonly (readonly [mark: string, means: string])[] => [
  ['…', 'not sent yet'],
  ['✓', 'sent: the server has it on its disk'],
  ['✓✓', 'delivered: a device of the other has it'],
  [colour ? '✓✓ in colour' : 'read', 'read'],
  ['✗', 'not sent, and why'],
];

const NAME_COLUMNS = 18;

/** The rows of the page of keys and commands, for a width. */
export function helpRows(columns: number, colour: boolean): Row[] {
  const part = (title: string, lines: readonly (readonly [string, string])[]): Row[] => [
    [span(title, 'bold')],
    ...lines.flatMap(([name, does]) => {
      const isNarrow = columns < NAME_COLUMNS * 2;
      const indent = isNarrow ? 2 : NAME_COLUMNS;
      const [first = '', ...more] = fold(does, columns - indent);
      const rest = more.map((row): Row => [span(' '.repeat(indent) + row)]);
      if (isNarrow) return [[span(name, 'own')], [span(`  ${first}`)], ...rest];
      return [[span(name.padEnd(NAME_COLUMNS), 'own'), span(first)], ...rest];
    }),
    [],
  ];
  return [...part('Commands', commands), ...part('Keys', keys), ...part('Before your messages', marks(colour))];
}
