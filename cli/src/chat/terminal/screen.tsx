import { Box } from 'ink';
import { useSyncExternalStore, type ReactElement } from 'react';
import { shortAccount } from '../../transcript.ts';
import { clip, fold } from '../cells.ts';
import type { Frames } from './frames.ts';
import { listRows } from './list-rows.ts';
import { panesOf, statusLines, type Panes } from './panes.ts';
import { span, type Row } from './row.ts';
import { Rows } from './rows.tsx';
import type { ChatState, Page, Setting } from './state.ts';
import { inkOf, newBelow, viewOf } from './view.ts';

type Part = { readonly state: ChatState; readonly setting: Setting; readonly panes: Panes };

/** The whole screen. */
export function Screen(o: { readonly source: Frames<ChatState>; readonly setting: Setting }): ReactElement {
  const state = useSyncExternalStore(o.source.subscribe, o.source.getSnapshot);
  const { setting } = o;
  const panes = panesOf(state, setting);
  const part = { state, setting, panes };
  const { columns, rows } = state.size;
  return (
    <Box flexDirection="column" width={columns} height={rows} overflow="hidden">
      {panes.isNarrow ? <Stacked {...part} /> : <SideBySide {...part} />}
      <Foot {...part} />
    </Box>
  );
}

function SideBySide({ state, setting, panes }: Part): ReactElement {
  const { listColumns, columns, rows } = panes;
  const { colour } = setting;
  const height = rows + 2;
  const list: Row[] = [
    [span(` ${clip(setting.title, listColumns - 2)}`, 'bold')],
    [span('─'.repeat(listColumns), 'dim')],
    ...listRows(state, setting, listColumns, rows),
  ];
  const divider = Array.from({ length: height }, (_, row): Row => [span(row === 1 ? '┼─' : '│', 'dim')]);
  return (
    <Box flexShrink={0}>
      <Rows rows={list} columns={listColumns} height={height} colour={colour} />
      <Rows rows={divider} columns={2} height={height} colour={colour} />
      <Box flexDirection="column" flexShrink={0}>
        <Rows
          rows={[titleRow(state, setting, columns), [span('─'.repeat(columns), 'dim')]]}
          columns={columns}
          height={2}
          colour={colour}
        />
        <Body state={state} setting={setting} panes={panes} />
      </Box>
    </Box>
  );
}

function Stacked({ state, setting, panes }: Part): ReactElement {
  const { columns, listRows: height } = panes;
  const { colour } = setting;
  const title = titleRow(state, setting, columns);
  return (
    <Box flexDirection="column" flexShrink={0}>
      {height > 0 && (
        <Rows rows={listRows(state, setting, columns, height)} columns={columns} height={height} colour={colour} />
      )}
      <Rows rows={[[span('─'.repeat(columns), 'dim')], title]} columns={columns} height={2} colour={colour} />
      <Body state={state} setting={setting} panes={panes} />
    </Box>
  );
}

/** The conversation, or the page that covers it. */
function Body({ state, setting, panes }: Part): ReactElement {
  const { open, page } = state;
  const { columns, rows: height } = panes;
  const { colour } = setting;
  if (page) return <Rows rows={pageRows(page)} columns={columns} height={height} colour={colour} />;
  if (!open) return <Rows rows={welcome(state, columns)} columns={columns} height={height} colour={colour} />;
  const { rows } = viewOf(open, inkOf(open, setting, columns), height);
  const shown = open.problem === undefined ? rows : [[span(`the history cannot be read: ${open.problem}`, 'bad')]];
  const begin: Row[] =
    shown.length === 0 ? [[span('nothing yet. What you type is sent with Enter.', 'dim')]] : [...shown];
  return <Rows rows={begin} columns={columns} height={height} colour={colour} at="bottom" />;
}

/** A row that leads somewhere has room for the sign of being chosen. */
function pageRows({ rows, from, choice }: Page): Row[] {
  if (!choice) return rows.slice(from);
  return rows.slice(from).map((row, index) => [span(from + index === choice.at ? '› ' : '  ', 'chosen'), ...row]);
}

function welcome({ conversations }: ChatState, columns: number): Row[] {
  const first = conversations.length === 0 ? 'No conversations yet.' : 'Tab opens the first conversation.';
  const lines = [first, '/open USER talks with somebody: a username or an account id.', '/help shows the keys.'];
  return lines.flatMap((line) => fold(line, columns).map((row): Row => [span(row)]));
}

function titleRow({ open, page }: ChatState, { people }: Setting, columns: number): Row {
  if (page)
    return [
      span(clip(page.title, columns - 25), 'bold'),
      span(page.choice ? '  Enter opens, Esc closes' : '  Esc closes', 'dim'),
    ];
  if (!open) return [span('waxwing', 'bold')];
  const name = people.nameOf(open.peer);
  const account = shortAccount(open.peer);
  return [span(clip(name, columns), 'bold'), span(name === account ? '' : `  ${account}`, 'dim')];
}

/** The line above the input, which says what is below; how the connection is; the input. */
function Foot({ state, setting, panes }: Part): ReactElement {
  const { columns } = state.size;
  const { colour } = setting;
  const lines = statusLines(state);
  const rows: Row[] = [
    ruleRow(state, panes, columns),
    ...lines.map(({ text, isBad }): Row => [span(clip(text, columns), isBad ? 'notice' : 'plain')]),
    ...panes.input.rows.map((text): Row => [span(text)]),
  ];
  return <Rows rows={rows} columns={columns} height={rows.length} colour={colour} />;
}

function ruleRow({ open }: ChatState, { isNarrow, listColumns }: Panes, columns: number): Row {
  const below = open?.anchor || open?.hasNewer ? belowWords(newBelow(open)) : '';
  const line = isNarrow ? '─'.repeat(columns) : `${'─'.repeat(listColumns)}┴${'─'.repeat(columns - listColumns - 1)}`;
  if (below === '') return [span(line, 'dim')];
  return [span(line.slice(0, columns - below.length - 4), 'dim'), span(` ${below} `, 'notice'), span('──', 'dim')];
}

function belowWords(count: number): string {
  return count === 0 ? '↓ more below, Esc' : `↓ ${count} new below, Esc`;
}
