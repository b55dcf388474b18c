/** Fills the file of a profile with a history: `build.ts PROFILE MESSAGES`. */
import { readProfile } from '../../cli/src/profile.ts';
import { openStore } from '../../client-core/src/history/store.ts';
import { fillHistory } from './fill.ts';

const [folder = '', count = '0'] = process.argv.slice(2);
const { store: at } = await readProfile(folder);
const store = openStore(at.path, at.key, { create: false });
const { inOrderMs, lateMs, longestCommitMs } = fillHistory(store, Number(count));
store.close();
const seconds = (ms: number): number => Math.round(ms / 100) / 10;
process.stdout.write(
  `${JSON.stringify({
    inOrderSeconds: seconds(inOrderMs),
    lateSeconds: seconds(lateMs),
    longestCommitMs: Math.round(longestCommitMs),
    cpuSeconds: seconds((process.cpuUsage().user + process.cpuUsage().system) / 1_000),
  })}\n`,
);
