import { printable } from '../../printable.ts';

/** How a stretch of a row is meant; what it looks like is the palette's. */
export type Tone =
  'plain' | 'bold' | 'dim' | 'own' | 'other' | 'read' | 'notice' | 'new' | 'bad' | 'chosen' | 'heading';

export type Span = { readonly text: string; readonly tone: Tone };

/** One row of the screen, from its first column on. */
export type Row = readonly Span[];

/** Everything that reaches the screen comes through here, and is made harmless: no control character, and one row. */
export function span(text: string, tone: Tone = 'plain'): Span {
  return { text: printable(text).replaceAll('\n', ' '), tone };
}
