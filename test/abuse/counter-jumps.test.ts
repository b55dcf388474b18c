import { expect, test } from 'vitest';
import { counterJumps } from '../../bench/abuse/counter-jumps.ts';

test('counters that jump are not walked without end, grow no session past its bound, and stop no honest message', async () => {
  const { broken } = await counterJumps({ realJumps: [1, 2_000], exhaust: 2 });
  expect(broken).toEqual([]);
}, 60_000);
