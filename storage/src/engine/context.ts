import type { RandomBytes } from '@waxwing/protocol';
import type { NewestList } from '../rules/device-sets.ts';
import type { StoreLimits } from '../store-limits.ts';
import type { RelayEvent } from './events.ts';
import type { Records } from './records.ts';

/** What one call into the engine works with. */
export type EngineContext = {
  readonly records: Records;
  /** Makes the event true in the records, and keeps it in order. */
  readonly record: (event: RelayEvent) => void;
  readonly newestList: NewestList;
  /** The store's own incarnation. */
  readonly incarnation: string;
  readonly nowMs: number;
  readonly randomBytes: RandomBytes;
  readonly limits: StoreLimits;
};
