import { WrongUse } from './failure.ts';

/** A message to send: `key` names it, so that it is sent once however often it is given. */
export type OutgoingLine = { readonly key?: string; readonly text: string };

/**
 * A line of `send -`: plain text, or, where it begins with `{"`, a JSON object of `text` and, if wanted, `id`. Throws
 * `WrongUse` for JSON that is something else, so that a mistyped object is not sent as a text.
 */
export function parseOutgoingLine(line: string, at: number): OutgoingLine {
  if (!/^\{\s*"/.test(line)) return { text: line };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new WrongUse(`line ${at} of the input begins like JSON and is not: give {"id": KEY, "text": TEXT}`);
  }
  if (typeof value !== 'object' || value === null) throw new TypeError('an object was expected');
  const { id, text, ...others } = Object.assign<Record<string, unknown>, object>({}, value);
  const isId = id === undefined || (typeof id === 'string' && id !== '');
  if (typeof text !== 'string' || !isId || Object.keys(others).length > 0) {
    throw new WrongUse(`line ${at} of the input has other fields than "id" and "text", both texts`);
  }
  return { text, ...(id !== undefined && { key: id }) };
}
