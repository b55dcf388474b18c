import type { SimulatedDevice } from './device.ts';

/** Something that a person wants said: the app goes on until the client has taken it. */
export type Saying = {
  readonly key: string;
  readonly from: SimulatedDevice;
  readonly to: SimulatedDevice;
  readonly text: string;
  /** When it was begun to be said, in virtual time. */
  readonly saidMs: number;
  /** `send` has resolved: it is durable, and must arrive. */
  taken: boolean;
  /** What `cancel` answered. */
  cancelled: boolean | undefined;
};
