/** What an operator decides about a relay. */
export type RelayConfig = {
  /** The origins that clients dial, `https://relay.example`: a token is taken if its audience is one of them. */
  readonly origins: readonly string[];
  /** Where upgrades are taken. */
  readonly path: '/v1/relay';
  /** Over what time an orderly stop spreads the return of its devices. */
  readonly drainSpreadMs: number;
  /** Open sockets beyond which an upgrade is refused with 503. */
  readonly maxConnections: number;
  /** The networks (CIDR) of proxies whose `X-Forwarded-For` is believed. Absent: none. */
  readonly trustProxy?: readonly string[];
};
