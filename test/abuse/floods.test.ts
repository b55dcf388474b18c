import { expect, test } from 'vitest';
import { floods } from '../../bench/abuse/floods.ts';

test('floods of handles and of sockets are refused with a code, and an honest pair goes on', async () => {
  const { broken } = await floods({ handles: 3_000, sockets: 200 });
  expect(broken).toEqual([]);
}, 60_000);
