import type { HistoryItem, Message } from '@waxwing/client-core';
import { printable } from '../../printable.ts';
import { alertLine, dayOf, timeOf, type People } from '../../transcript.ts';
import { cells, clip, fold } from '../cells.ts';
import { span, type Row, type Tone } from './row.ts';
import { dayWords, failureWords, holeWords, markOf } from './wording.ts';

/** What the rows of a conversation depend on beside its items. */
export type Ink = {
  readonly people: People;
  readonly columns: number;
  readonly colour: boolean;
  /** The columns for a name: those of the longest in the conversation, within reason. */
  readonly nameColumns: number;
};

const TIME_COLUMNS = 6;
const LEAST_TEXT_COLUMNS = 20;

/** Whether this item stands under another day than the message before it. */
export function beginsDay(item: Message, before: Message | undefined): boolean {
  return before === undefined || dayOf(before.serverTime) !== dayOf(item.serverTime);
}

/**
 * One item of a history, folded to the width. Everything that others wrote is made harmless here. `cameAt`: when a message
 * came that stands above some that came before it.
 */
export function itemRows(
  item: HistoryItem,
  ink: Ink,
  o: { beginsDay: boolean; isFound?: boolean; cameAt?: Date | undefined },
): Row[] {
  switch (item.kind) {
    case 'message': {
      const day: Row[] = o.beginsDay ? [[span(`── ${dayWords(item.serverTime)} ──`, 'heading')]] : [];
      return [...day, ...messageRows(item, ink, o)];
    }
    case 'hole':
      return asideRows(`── ${holeWords(item)} ──`, 'notice', ink);
    case 'alert':
      return asideRows(alertLine(item, ink.people).trim(), 'bad', ink);
  }
}

function asideRows(text: string, tone: Tone, { columns }: Ink): Row[] {
  const indent = Math.min(TIME_COLUMNS, Math.max(0, columns - LEAST_TEXT_COLUMNS));
  return fold(text, columns - indent).map((row) => [span(' '.repeat(indent)), span(row, tone)]);
}

function messageRows(item: Message, ink: Ink, o: { isFound?: boolean; cameAt?: Date | undefined }): Row[] {
  const { people, columns, colour, nameColumns } = ink;
  const isOwn = item.from === people.own;
  const markColumns = colour ? 3 : 5;
  const head = TIME_COLUMNS + markColumns + nameColumns + 2;
  const text = item.text === undefined ? '(a message that this version cannot show)' : printable(item.text);
  // Where there is no room beside the name, the text stands under it.
  const isNarrow = columns - head < LEAST_TEXT_COLUMNS;
  const indent = isNarrow ? Math.min(2, columns - 2) : head;
  const rows = fold(text, columns - indent);
  const name = clip(isOwn ? 'me' : people.nameOf(item.from), nameColumns);
  const mark = markOf(item.status, colour);
  const first: Row = [
    span(`${timeOf(item.serverTime)} `, 'dim'),
    span(mark + ' '.repeat(markColumns - cells(mark)), markTone(item)),
    span(' '.repeat(isNarrow ? 0 : nameColumns - cells(name))),
    span(name, isOwn ? 'own' : 'other'),
  ];
  const tone: Tone = o.isFound ? 'bold' : item.status.state === 'queued' || item.text === undefined ? 'dim' : 'plain';
  const under = rows.map((row): Row => [span(' '.repeat(indent)), span(row, tone)]);
  const body: Row[] = isNarrow
    ? [first, ...under]
    : [[...first, span('  '), span(rows[0] ?? '', tone)], ...under.slice(1)];
  return [...body, ...remarks(item, o.cameAt).flatMap((remark) => remarkRows(remark, columns, indent))];
}

type Remark = { readonly text: string; readonly tone: Tone };

function remarks(item: Message, cameAt: Date | undefined): Remark[] {
  return [
    ...(item.status.state === 'failed' ? [{ text: `↑ ${failureWords(item.status.code)}`, tone: 'bad' as const }] : []),
    ...(cameAt === undefined ? [] : [{ text: `↑ came late, at ${timeOf(cameAt)}`, tone: 'dim' as const }]),
  ];
}

function remarkRows({ text, tone }: Remark, columns: number, indent: number): Row[] {
  return fold(text, columns - indent).map((row) => [span(' '.repeat(indent)), span(row, tone)]);
}

function markTone({ status }: Message): Tone {
  if (status.state === 'read') return 'read';
  return status.state === 'failed' ? 'bad' : 'dim';
}
