export { defaultSettings, startServer, type RunningServer, type ServerSettings } from './server.ts';
