export { buildKeyserver, type KeyserverDeps } from './app.ts';
export type { KeyserverConfig, TicketSettings } from './keys-app.ts';
export { defaultRates, type RateSettings } from './rate-limits.ts';
export { readKeySet, type LoadKeySet } from './tickets/key-set.ts';
export { keySetFile, keySetUrl } from './tickets/load-key-set.ts';
export type { Rate } from './token-buckets.ts';
