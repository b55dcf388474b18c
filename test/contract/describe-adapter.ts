import { describe, it } from 'vitest';
import { runCase, type Adapter } from './contract.ts';
import { suite } from './suite.ts';

/** Runs the suite over an adapter: all of it, or every nth case. */
export function describeAdapter(adapter: Adapter, { everyNth = 1 } = {}): void {
  const all = Object.entries(suite).flatMap(([part, cases]) => cases.map((one) => ({ part, one })));
  describe(adapter.name, () => {
    for (const { part, one } of all.filter((_, place) => place % everyNth === 0)) {
      it(`${part}: ${one.name}`, () => runCase(adapter, one));
    }
  });
}
