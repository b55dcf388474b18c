export * from './device-key.ts';
export type * from './directory-store.ts';
export type * from './mailbox-store.ts';
export type * from './prekey-store.ts';
export type * from './storage.ts';
