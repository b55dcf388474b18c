import { describe, it } from 'vitest';
import { runCase, type Adapter } from './contract.ts';
import { suite } from './suite.ts';

/** Runs the whole suite over an adapter. */
export function describeAdapter(adapter: Adapter): void {
  describe(adapter.name, () => {
    for (const [part, cases] of Object.entries(suite)) {
      describe(part, () => {
        for (const one of cases) it(one.name, () => runCase(adapter, one));
      });
    }
  });
}
