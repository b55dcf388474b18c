import type { Clock, RandomBytes, Timers } from '@waxwing/protocol';
import type { ChangeBus } from '../bus.ts';
import type { EventHub } from '../events.ts';
import type { Store } from '../history/store.ts';
import type { Crypto, LocalKeys } from '../session/crypto.ts';
import type { UnitOfWork } from '../session/unit-of-work.ts';
import type { IdentityPolicy } from './send-hold.ts';

/** What the parts of the sync engine share. */
export type SyncContext = {
  readonly store: Store;
  readonly work: UnitOfWork;
  readonly crypto: Crypto;
  readonly local: LocalKeys;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly randomBytes: RandomBytes;
  readonly bus: ChangeBus;
  readonly events: EventHub;
  readonly identityPolicy: IdentityPolicy;
};
