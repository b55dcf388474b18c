import { allKills, clientSteps, relayKills } from './crashes.ts';
import { storeFaults } from './disk.ts';
import { powerCuts } from './power.ts';
import { cuts, partitions, slowLinks, slowPartitions } from './network.ts';
import type { FaultReport, Size } from './report.ts';

const faults: Readonly<Record<string, (size: Size) => Promise<FaultReport>>> = {
  F1: relayKills,
  'F1-all': allKills,
  F6: storeFaults,
  'F6-power': (size) => powerCuts(size),
  F7: partitions,
  'F7-real': ({ runs, seed }) => slowPartitions({ runs: Math.ceil(runs / 25), seed }),
  F9: cuts,
  F10: slowLinks,
  F19: clientSteps,
};

export const faultNames: readonly string[] = Object.keys(faults);

/** Runs one fault so many times. Rejects where there is no fault of that name. */
export async function proveFault(name: string, size: Size): Promise<FaultReport> {
  const fault = faults[name];
  if (!fault) throw new RangeError(`no fault ${name}`);
  return fault(size);
}
