/** Escape sequences begin with these, and a bell rings: the controls of ASCII and of Latin-1, but for line feed. */
const controls = /[^\P{Cc}\n]/gu;
/** Embeddings, overrides and isolates of writing direction: unclosed, they turn around what stands after them. */
const turns = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * A text of somebody else as it may go to a terminal: it cannot move the cursor, hide, or turn around what follows.
 * A tab is a space; line feeds stay.
 */
export function printable(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(/\t/g, ' ')
    .replace(controls, '')
    .replace(turns, '');
}
