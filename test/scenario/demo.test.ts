import { afterAll, expect, it } from 'vitest';
import { endProcesses, RunningProcess } from '../support/processes.ts';

afterAll(endProcesses);

it(
  'the demo ends well, with nothing lost, doubled, out of order or readable in the relay',
  { timeout: 120_000 },
  async () => {
    const demo = new RunningProcess('examples/demo/main.ts', []);
    const { code } = await demo.exit(110_000);
    expect({ code, errors: demo.errors }).toEqual({ code: 0, errors: '' });
    const checked = demo.lines.filter((line) => /^ {2}[✓✗] /.test(line));
    expect(checked.map((line) => line.slice(2, 18).trim())).toEqual([
      '✓ sent',
      '✓ delivered',
      '✓ lost',
      '✓ duplicated',
      '✓ out of order',
      '✓ both devices',
      '✓ plaintext',
      '✓ the search',
    ]);
  },
);
