import type { Storage, StoreLimits } from '@waxwing/storage';
import type { ManualRuntime } from '../kit/src/manual-runtime.ts';

/** A copy of all that a store keeps, as an operator's backup would have it. */
export type Backup = { readonly restore: () => Promise<void> };

export type Reopen = {
  /** What the operator says after putting a backup back: the store becomes another incarnation. */
  readonly restored?: boolean;
  /** Put back before opening. */
  readonly backup?: Backup;
  /** Counters and mailboxes are lost before opening; accounts stay. */
  readonly loseRelay?: boolean;
};

/** One storage under test, on virtual time. */
export type World = {
  readonly runtime: ManualRuntime;
  /** The storage that is open now. */
  readonly storage: Storage;
  /** Closes the storage, then opens what it kept. */
  reopen(o?: Reopen): Promise<void>;
  backup(): Promise<Backup>;
  end(): Promise<void>;
};

/** An adapter: how the suite gets a fresh storage. */
export type Adapter = {
  readonly name: string;
  open(limits?: Partial<StoreLimits>): Promise<World>;
};

/** One property of the contract. `run` throws where it does not hold. */
export type Case = {
  readonly name: string;
  readonly limits?: Partial<StoreLimits>;
  readonly run: (world: World) => Promise<void>;
};

/** Runs one case in a world of its own. Rejects with what does not hold. */
export async function runCase(adapter: Adapter, { limits, run }: Case): Promise<void> {
  const world = await adapter.open(limits);
  try {
    await run(world);
  } finally {
    await world.end();
  }
}
