export type { Io } from './io.ts';
export { runWaxwing } from './run.ts';
export { startServer, type RunningServer, type ServerSettings } from './server.ts';
