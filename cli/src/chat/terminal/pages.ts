import type { MessageTrace, SafetyNumber, SearchHit } from '@waxwing/client-core';
import { fold } from '../cells.ts';
import { span, type Row } from './row.ts';
import type { Page, Setting } from './state.ts';
import { shortTime } from './wording.ts';

/** What was found, each on a row that leads to it. */
export function hitsPage(words: string, hits: readonly SearchHit[], { people }: Setting, now: Date): Page {
  if (hits.length === 0) return { title: `search: ${words}`, rows: [[span('nothing found')]], from: 0 };
  const rows = hits.map(({ message, snippet }): Row => {
    const isOwn = message.from === people.own;
    return [
      span(`${shortTime(message.serverTime, now).padStart(6)} `, 'dim'),
      span(isOwn ? 'me' : people.nameOf(message.from), isOwn ? 'own' : 'other'),
      span('  '),
      ...snippet.map(({ text, match }) => span(text, match ? 'bold' : 'plain')),
    ];
  });
  const places = hits.map(({ message }) => ({ conversation: message.conversation, message: message.id }));
  return { title: `search: ${words}`, rows, from: 0, choice: { places, at: 0 } };
}

/** Why a message, or what is missing, is as it is. */
export function explainPage(trace: MessageTrace, columns: number): Page {
  const { state, nextStep, since, tries, nextTryAt, codes } = trace;
  const lines = [
    nextStep,
    '',
    `It is ${state} since ${clock(since)}.`,
    ...(tries > 0 ? [`Tried ${tries === 1 ? 'once' : `${tries} times`} in vain.`] : []),
    ...(nextTryAt === undefined ? [] : [`Next try: ${clock(nextTryAt)}.`]),
    ...(codes.length > 0 ? [`Codes: ${codes.join(', ')}`] : []),
    `Id: ${trace.id}`,
  ];
  return { title: 'why', rows: lines.flatMap((line) => fold(line, columns).map((row): Row => [span(row)])), from: 0 };
}

/** The number that two people compare, and what to do with it. */
export function safetyPage(name: string, { digits, verified }: SafetyNumber, columns: number): Page {
  const groups = digits.match(/\d{5}/g) ?? [];
  const across = columns >= 24 ? 4 : 2;
  const rows = Array.from({ length: Math.ceil(groups.length / across) }, (_, row): Row => [
    span(groups.slice(row * across, (row + 1) * across).join(' '), 'bold'),
  ]);
  const words = verified
    ? `You compared it with ${name} before: it is verified.`
    : `Compare it with ${name}, on the phone or side by side, not in this chat. If it is the same, type /verified: then nobody stands between you.`;
  const below = fold(words, columns).map((row): Row => [span(row)]);
  return { title: `safety number with ${name}`, rows: [...rows, [], ...below], from: 0 };
}

/** A time of a trace, in the zone of this machine. */
function clock(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleString('sv-SE');
}
