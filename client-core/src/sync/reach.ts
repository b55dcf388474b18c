import { limits } from '@waxwing/protocol';
import type { Reach } from '../history/receipts.ts';
import { missing } from './ranges.ts';

/** Whether a watermark covers a device's frame n. */
export function reaches(reach: Reach | undefined, n: number): boolean {
  return reach !== undefined && n <= reach.n && !reach.except.some(({ from, to }) => from <= n && n <= to);
}

/** The one that says more: the higher n, or at the same n the one with less excepted. Watermarks only rise. */
export function further(a: Reach | undefined, b: Reach): Reach {
  if (a === undefined || b.n > a.n) return b;
  return b.n === a.n && size(b) < size(a) ? b : a;
}

/** What one of two watermarks covers: they may be of different devices of an account, and nothing that was said is taken back. */
export function together(a: Reach | undefined, b: Reach): Reach {
  if (a === undefined) return b;
  const [lower, higher] = a.n <= b.n ? [a, b] : [b, a];
  const covered = missing(lower.except, { from: 1, to: lower.n });
  return { n: higher.n, except: higher.except.flatMap((range) => missing(covered, range)) };
}

/** What is held of a device's frames, as a watermark may say it: no more excepted ranges than fit, so perhaps not up to the head. */
export function reachOf(head: number, except: Reach['except']): Reach {
  const max = limits.exceptRangesPerWatermark;
  const cut = except[max];
  return cut === undefined ? { n: head, except } : { n: cut.from - 1, except: except.slice(0, max) };
}

function size(reach: Reach): number {
  return reach.except.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}
