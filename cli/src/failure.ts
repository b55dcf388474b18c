import { WaxwingError, type ClientErrorCode, type ErrorCode } from '@waxwing/client-core';

/** What a command could not do: one line for a person, exit code 1. */
export class Failure extends Error {}

/** A command that was called wrongly: what is wrong with it, exit code 2. What to type is added by the command line. */
export class WrongUse extends Error {}

/** What a command could not do and nobody is to be told: exit code 1. */
export class QuietFailure extends Error {}

/** Whoever read the data has gone: nobody is told. */
export class OutputClosed extends Error {}

/** What some codes mean to a person. */
export const inPlainWords: Partial<Record<ErrorCode | ClientErrorCode, string>> = {
  store_in_use: 'another process has this profile open',
  store_key_mismatch: 'device.key does not open device.db: they are not of the same profile, or one was replaced',
  cloned: 'a copy of this profile has connected since; this one must not go on. Use the newer one',
  displaced: 'another connection of this device took over',
  unreachable: 'the server does not answer',
  unknown_user: 'no such account or username',
  username_taken: 'the username is taken',
  id_taken: 'this id was used before, with another text or to another user',
  too_large: 'the text is longer than a message may be',
};

/** What went wrong, in one line. */
export function inOneLine(error: unknown): string {
  if (error instanceof WaxwingError) return inPlainWords[error.code] ?? `${oneLine(error.message)} (${error.code})`;
  return oneLine(error instanceof Error ? error.message : String(error));
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
