import type { Own, RowReport, Siege } from './row.ts';

/** What a row attacks, and so what it must have measured. */
export type Attacked = 'server' | 'own' | 'both';

/**
 * `release`: a quiet machine, held to every figure. `commit`: a machine that does other work as well, held to what no other
 * work excuses.
 */
export type Strictness = 'release' | 'commit';

const GROWTH_MAX_MIB = 64;
const PEAK_MAX_MIB = 512;
const HANG_MS = 1_000;
const LOOP_DELAY_P999_MAX_MS = 200;
const HONEST_LEAST_PER_SECOND = 45;

/** All that is wrong with a row: what it found, and what its measurements say. A row without its measurement is wrong. */
export function judge(report: RowReport, attacked: Attacked, strictness: Strictness): string[] {
  const { findings, siege, own, cases } = report;
  const wrong = [...findings];
  if (attacked !== 'own') wrong.push(...(siege ? ofSiege(siege, strictness) : ['nothing was measured of a server']));
  if (attacked !== 'server') wrong.push(...(own ? ofOwn(own) : ['nothing was measured of this process']));
  if (attacked === 'own' && own && own.timed < cases) wrong.push(`${own.timed} of ${cases} cases were timed`);
  if (attacked === 'own' && own && own.signsOfLife < cases)
    wrong.push(`${own.signsOfLife} signs of life after ${cases} cases`);
  return wrong;
}

function ofSiege(siege: Siege, strictness: Strictness): string[] {
  const { honest, loopDelayMaxMs, loopDelayP999Ms } = siege;
  const wrong = ofMemory('the server', siege);
  if (loopDelayMaxMs > HANG_MS) wrong.push(`the server’s loop was held up for ${loopDelayMaxMs} ms`);
  if (honest.messages === 0) wrong.push('the honest pair said nothing');
  if (strictness === 'commit') return wrong;
  if (loopDelayP999Ms >= LOOP_DELAY_P999_MAX_MS) wrong.push(`the server’s loop was ${loopDelayP999Ms} ms late`);
  if (honest.perSecond < HONEST_LEAST_PER_SECOND) wrong.push(`the honest pair said ${honest.perSecond} a second`);
  return wrong;
}

function ofOwn(own: Own): string[] {
  const wrong = ofMemory('this process', own);
  if (own.slowestCaseCpuMs > HANG_MS) wrong.push(`a case took ${own.slowestCaseCpuMs} ms of processor`);
  return wrong;
}

function ofMemory(who: string, o: { readonly residentGrowthMiB: number; readonly peakMiB: number }): string[] {
  const wrong: string[] = [];
  if (o.residentGrowthMiB > GROWTH_MAX_MIB) wrong.push(`${who} grew by ${o.residentGrowthMiB} MiB`);
  if (o.peakMiB > PEAK_MAX_MIB) wrong.push(`${who} held ${o.peakMiB} MiB`);
  return wrong;
}
