import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Clock } from '@waxwing/protocol';
import type { DeviceKey, Storage } from '@waxwing/storage';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { CheckTicket } from './tickets/check-ticket.ts';
import type { LoadKeySet } from './tickets/key-set.ts';
import type { RateLimits, RateSettings } from './rate-limits.ts';

/** A fastify instance whose handlers are typed by their schemas. */
export type KeysApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export type KeyserverConfig = {
  /**
   * The public origins that clients dial, `https://keys.example`: a token must name one of them. Read at every request, so
   * an origin may be added once the port is known. The first is the one that discovery falls back to.
   */
  readonly origins: readonly string[];
  /** Where the relay is dialled, `wss://relay.example`; absent if it shares the keyserver's origin. */
  readonly relayOrigin?: string;
  /** CIDRs of the proxies whose X-Forwarded-For is believed; absent: none. */
  readonly trustProxy?: readonly string[];
  /** Registration is for who has a ticket of this issuer; absent: open to anybody. */
  readonly tickets?: TicketSettings;
  /** What is absent has its default. */
  readonly rates?: Partial<RateSettings>;
};

/** Whose tickets are taken: their claim `iss`, and the JWKS with the keys that sign them. */
export type TicketSettings = { readonly issuer: string; readonly loadKeys: LoadKeySet };

/** What routes work with. */
export type RouteDeps = {
  readonly storage: Pick<Storage, 'directory' | 'prekeys' | 'mailboxes'>;
  readonly clock: Clock;
  readonly config: KeyserverConfig;
  readonly rates: RateLimits;
  /** Absent: registration is open. */
  readonly checkTicket?: CheckTicket;
  readonly onDevicesRemoved?: (removed: readonly DeviceKey[]) => void;
};
