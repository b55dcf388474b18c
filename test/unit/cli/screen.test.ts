import { setTimeout } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createScreen } from '../../../cli/src/chat/screen.ts';
import type { Io } from '../../../cli/src/io.ts';

test('what was typed into a pipe, and its end, is there for who asks for it late', async () => {
  const stdin = new PassThrough();
  const screen = createScreen({ stdin, stdout: new PassThrough() } as unknown as Io);
  stdin.end('/list\n/open 1\nhello');
  await setTimeout(50);
  const typed: string[] = [];
  for await (const line of screen.typed) typed.push(line);
  expect(typed).toEqual(['/list', '/open 1', 'hello']);
});
