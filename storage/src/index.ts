export * from './device-key.ts';
export type * from './directory-store.ts';
export type * from './mailbox-store.ts';
export * from './memory/memory-storage.ts';
export type * from './prekey-store.ts';
export type * from './storage.ts';
export type { StoreLimits } from './store-limits.ts';
