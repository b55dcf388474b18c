import { describe, it } from 'vitest';
import { runCase, type Adapter } from './contract.ts';
import { suite } from './suite.ts';

/** Runs the suite over an adapter: all of it, or every nth case. */
export function describeAdapter(adapter: Adapter, { everyNth = 1 } = {}): void {
  let place = 0;
  describe(adapter.name, () => {
    for (const [part, cases] of Object.entries(suite)) {
      describe(part, () => {
        for (const one of cases) if (place++ % everyNth === 0) it(one.name, () => runCase(adapter, one));
      });
    }
  });
}
