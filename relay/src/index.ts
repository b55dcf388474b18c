export { createAdminServer, type AdminDeps } from './admin.ts';
export type { Channel, ChannelListener } from './channel.ts';
export type { RelayConfig } from './config.ts';
export { createGateway, type Gateway, type GatewayDeps } from './gateway.ts';
export { createLogger, redactedKeys } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { createRelay, type Relay, type RelayDeps } from './server.ts';
export type { EndOfTurn } from './turn.ts';
