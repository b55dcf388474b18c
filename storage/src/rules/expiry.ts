/**
 * Whether what was kept at `keptMs` for `ttlMs` is past its time. A date more than its lifetime ahead was written by a
 * clock that has since been set back, and is past too: nothing is kept without end.
 */
export function isPast(keptMs: number, nowMs: number, ttlMs: number): boolean {
  return keptMs + ttlMs <= nowMs || keptMs > nowMs + ttlMs;
}
