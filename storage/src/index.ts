export * from './device-key.ts';
export type * from './directory-store.ts';
export type * from './mailbox-store.ts';
export * from './memory/memory-storage.ts';
export type * from './prekey-store.ts';
export * from './sqlite/sqlite-storage.ts';
export type * from './storage.ts';
export { StoreFullError } from './store-full-error.ts';
export type { StoreLimits } from './store-limits.ts';
