import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plantedBugs } from '../../bench/planted/bugs.ts';
import { ticketBugs } from '../../bench/planted/ticket-bugs.ts';

const root = join(import.meta.dirname, '../..');

test.each([...plantedBugs, ...ticketBugs])(
  'the defence that is taken away by "$name" is where it is looked for',
  ({ file, find }) => {
    expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2);
  },
);
