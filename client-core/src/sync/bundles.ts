import type { DeviceBundleJson } from '@waxwing/protocol';

/** Prekey bundles of devices, by `addressKey`. */
export type Bundles = ReadonlyMap<string, DeviceBundleJson>;
