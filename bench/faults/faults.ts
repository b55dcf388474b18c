import { allKills, clientSteps, relayKills } from './crashes.ts';
import { clockSteps } from './clocks.ts';
import { storeFaults } from './disk.ts';
import { displaced, freezes, longFreezes } from './freezes.ts';
import { powerCuts } from './power.ts';
import { cuts, partitions, slowLinks, slowPartitions } from './network.ts';
import { pressure } from './pressure.ts';
import type { FaultReport, Size } from './report.ts';
import { twins } from './twins.ts';

const faults: Readonly<Record<string, (size: Size) => Promise<FaultReport>>> = {
  F1: relayKills,
  'F1-all': allKills,
  F6: storeFaults,
  'F6-power': (size) => powerCuts(size),
  F7: partitions,
  'F7-real': ({ runs, seed }) => slowPartitions({ runs: Math.ceil(runs / 25), seed }),
  F9: cuts,
  F10: slowLinks,
  F11: freezes,
  'F11-real': ({ runs, seed }) => longFreezes({ runs: Math.ceil(runs / 25), seed }),
  'F11-displaced': ({ runs, seed }) => displaced({ runs: Math.ceil(runs / 10), seed }),
  F12: pressure,
  F13: clockSteps,
  F19: clientSteps,
  F20: twins,
};

/** The relay of these does not keep what it says: where they are reported as `ok`, the proof sees nothing. */
const weakened: Readonly<Record<string, (size: Size) => Promise<FaultReport>>> = {
  'F6-power-unsynced': (size) => powerCuts(size, true),
};

/** What must hold. */
export const faultNames: readonly string[] = Object.keys(faults);

export const weakenedNames: readonly string[] = Object.keys(weakened);

/** Runs one fault so many times. Rejects where there is no fault of that name. */
export async function proveFault(name: string, size: Size): Promise<FaultReport> {
  const fault = faults[name] ?? weakened[name];
  if (!fault) throw new RangeError(`no fault ${name}`);
  return fault(size);
}
