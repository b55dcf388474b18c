/** What the child of the full-disk test prints, a line each. */
export type FullLine =
  | { readonly said: 'ready'; readonly pid: number }
  | { readonly said: 'accepted'; readonly n: number; readonly number: number; readonly duplicate: boolean }
  | { readonly said: 'full'; readonly entries: number; readonly known: boolean; readonly check: string }
  | { readonly said: 'done' };
