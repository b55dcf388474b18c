import type { Io } from '../io.ts';

/** A terminal at both ends: where the chat is drawn, and where keys are typed. */
export type Terminal = {
  readonly stdin: Io['stdin'] & { setRawMode(on: boolean): unknown };
  readonly stdout: Io['stdout'];
};

/** The terminal that a process has, or undefined: in a pipe, and on a terminal that cannot move its cursor. */
export function terminalOf({ stdin, stdout, env }: Io): Terminal | undefined {
  if (env.TERM === 'dumb' || stdout.isTTY !== true || !('isTTY' in stdin) || stdin.isTTY !== true) return undefined;
  return hasRawMode(stdin) ? { stdin, stdout } : undefined;
}

function hasRawMode(stdin: Io['stdin']): stdin is Terminal['stdin'] {
  return 'setRawMode' in stdin && typeof stdin.setRawMode === 'function';
}

export type Size = { readonly columns: number; readonly rows: number };

export function sizeOf({ stdout }: Terminal): Size {
  return { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 };
}
