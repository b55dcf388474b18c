export type { TestDevice } from './device.ts';
export type { TestNetwork, Weather } from './network.ts';
export type { Backup, ServerStart, TestServer } from './server.ts';
export { createTestWorld } from './world.ts';
export type { TestClientOptions, TestWorld, WorldOptions } from './world.ts';
