import { allKills, clientSteps, lateRelayKills, relayKills } from './crashes.ts';
import { clockSteps, earlyExpiry } from './clocks.ts';
import { storeFaults } from './disk.ts';
import { displaced, freezes, longFreezes } from './freezes.ts';
import { powerCuts } from './power.ts';
import { cuts, deafPartitions, partitions, slowLinks, slowPartitions } from './network.ts';
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
  'F11-displaced': displaced,
  F12: pressure,
  F13: clockSteps,
  F19: (size) => clientSteps(size),
  F20: twins,
};

/** Something in these is weakened, and how the proof sees it: where it does not, it sees nothing in the others either. */
const weakened: Readonly<
  Record<
    string,
    { readonly prove: (size: Size) => Promise<FaultReport>; readonly isSeen: (report: FaultReport) => boolean }
  >
> = {
  'F1-late': { prove: lateRelayKills, isSeen: isMissed },
  'F6-power-unsynced': { prove: (size) => powerCuts(size, true), isSeen: isMissed },
  'F7-deaf': { prove: deafPartitions, isSeen: ({ shown, problem }) => shown.halfOpen === 0 && problem === undefined },
  'F13-early': {
    prove: earlyExpiry,
    isSeen: ({ problem }) => problem?.endsWith('what waited was a hole: expired') === true,
  },
  'F19-late': {
    prove: (size) => clientSteps(size, true),
    isSeen: ({ lost = 0, duplicated = 0, outOfOrder = 0 }) => lost + duplicated + outOfOrder > 0,
  },
};

/** What was reported sent never came. */
function isMissed({ lost = 0, unkept = 0 }: FaultReport): boolean {
  return lost > 0 && unkept > 0;
}

export const faultNames: readonly string[] = [...Object.keys(faults), ...Object.keys(weakened)];

/** Runs one fault so many times; what is weakened, until it is seen. Rejects where there is no fault of that name. */
export async function proveFault(name: string, size: Size): Promise<FaultReport> {
  const fault = faults[name];
  if (fault) return fault(size);
  const weak = weakened[name];
  if (!weak) throw new RangeError(`no fault ${name}`);
  const report = await weak.prove(size);
  return { ...report, weakened: true, ok: weak.isSeen(report) };
}
