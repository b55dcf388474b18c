export { buildKeyserver, type KeyserverDeps } from './app.ts';
export type { KeyserverConfig } from './keys-app.ts';
export { defaultRates, type RateSettings } from './rate-limits.ts';
export type { Rate } from './token-buckets.ts';
