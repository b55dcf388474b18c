/** A submit whose outcome is not known. */
export type Unanswered = { readonly n: number };

/** The lowest n whose outcome is unknown: what every submit names as `oldest`. */
export function oldestUnanswered(unanswered: readonly Unanswered[], n: number): number {
  return unanswered.reduce((lowest, other) => Math.min(lowest, other.n), n);
}

/**
 * How many more messages of a handle may be framed now. `lowest` is the lowest n of the handle without an outcome, `next`
 * the n that the next frame would get.
 */
export function room(
  limits: { readonly perHandle: number; readonly inAll: number },
  unansweredInAll: number,
  lowest: number | undefined,
  next: number,
): number {
  const inHandle = lowest === undefined ? limits.perHandle : lowest + limits.perHandle - next;
  return Math.max(0, Math.min(inHandle, limits.inAll - unansweredInAll));
}
