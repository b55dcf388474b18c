import { protocolVersions, type DiscoveryJson } from '@waxwing/protocol';
import { Type } from 'typebox';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { closed, NoQuery, responses } from '../schema.ts';

const Discovery = Type.Object(
  {
    versions: Type.Array(Type.Integer()),
    relay: Type.String({ description: 'URL of the WebSocket.' }),
    keys: Type.String({ description: 'Origin of this API, as tokens name it.' }),
  },
  closed,
);

const schema = {
  summary: 'Where the parts of this server are, and the protocol versions that it speaks',
  security: [],
  querystring: NoQuery,
  response: responses(200, 'The parts.', Discovery),
};

/** GET /.well-known/waxwing and GET /openapi.json */
export function addDiscoveryRoutes(app: KeysApp, deps: RouteDeps): void {
  app.get('/.well-known/waxwing', { schema }, (request, reply) => {
    const keys = dialledOrigin(deps.config.origins, request.host);
    const relay = new URL('/v1/relay', deps.config.relayOrigin ?? keys);
    relay.protocol = relay.protocol.replace('http', 'ws');
    const discovery: DiscoveryJson = { versions: protocolVersions, relay: relay.href, keys };
    return reply.send(discovery);
  });

  app.get('/openapi.json', { schema: { hide: true, querystring: NoQuery } }, (_request, reply) =>
    reply.type('application/json').send(app.swagger()),
  );
}

/** The configured origin that the client dialled; the first if it named another host. */
function dialledOrigin(origins: readonly string[], host: string): string {
  const own = origins.map((origin) => new URL(origin));
  const dialled = own.find((url) => url.host === host) ?? own[0];
  if (!dialled) throw new Error('a keyserver needs an origin');
  return dialled.origin;
}
