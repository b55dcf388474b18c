import type { StoreLimits } from '../store-limits.ts';

/** How much of a mailbox is filled: by one sender account, or in all. */
export type Fill = { readonly entries: number; readonly bytes: number };

export const emptyFill: Fill = { entries: 0, bytes: 0 };

export function grow(fill: Fill, bytes: number): Fill {
  return { entries: fill.entries + 1, bytes: fill.bytes + bytes };
}

export function shrink(fill: Fill, bytes: number): Fill {
  return { entries: fill.entries - 1, bytes: fill.bytes - bytes };
}

export function less(fill: Fill, gone: Fill): Fill {
  return { entries: fill.entries - gone.entries, bytes: fill.bytes - gone.bytes };
}

/** Whether the mailbox is over its quota; a single entry never is. */
export function isOverQuota(fill: Fill, limits: StoreLimits): boolean {
  return exceeds(fill, limits.mailboxMaxEntries, limits.mailboxMaxBytes);
}

/** Whether one sender account has more than its share of the mailbox; with a single entry it never has. */
export function isOverShare(fill: Fill, limits: StoreLimits): boolean {
  const { mailboxShareOfOneSender: share } = limits;
  return exceeds(fill, limits.mailboxMaxEntries * share, limits.mailboxMaxBytes * share);
}

function exceeds(fill: Fill, maxEntries: number, maxBytes: number): boolean {
  return fill.entries > 1 && (fill.entries > maxEntries || fill.bytes > maxBytes);
}
