// An app's own backend: it says which of its users may register at a Waxwing server, by signing a ticket for each.
//
//   node examples/ticket-backend.ts http://127.0.0.1:7700      (what clients dial; PORT=7800 is where this listens)
//   waxwing serve --dev --registration ticket --ticket-issuer my-app --ticket-jwks http://127.0.0.1:7800/jwks.json
//   ticket=$(curl -s -X POST -H 'Authorization: Bearer ann-is-logged-in' http://127.0.0.1:7800/ticket)
//   waxwing register --server http://127.0.0.1:7700 --profile /tmp/ann --ticket "$ticket"
//
// In an app: createClient({ …, ticket: async () => (await fetch('/ticket', { method: 'POST' })).text() })
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const ISSUER = 'my-app';
const server = process.argv[2] ?? 'http://127.0.0.1:7700';
const port = Number(process.env.PORT ?? 7_800);

/** Whoever is logged in, by what shows it. Yours are in a database. */
const sessions = new Map([
  ['ann-is-logged-in', 'user 1'],
  ['bob-is-logged-in', 'user 2'],
]);

// Keep the private key: a new one at each start is for an example. The server learns new keys from the JWKS by itself.
const { publicKey, privateKey } = await generateKeyPair('EdDSA');
const kid = randomUUID();
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' }] };

/** Lets in one account, at this server, in the next two minutes. Anything else that it says, the server does not look at. */
function signTicket(): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', kid })
    .setIssuer(ISSUER)
    .setAudience(server)
    .setIssuedAt()
    .setExpirationTime('2 min')
    .setJti(randomUUID())
    .sign(privateKey);
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

const backend = createServer((request, response) => {
  const user = sessions.get(request.headers.authorization?.replace(/^Bearer /, '') ?? '');
  const asked = `${request.method} ${request.url}`;
  if (asked === 'GET /jwks.json') answer(response, 200, 'application/jwk-set+json', JSON.stringify(jwks));
  else if (asked !== 'POST /ticket') answer(response, 404, 'text/plain', 'not found');
  else if (user === undefined) answer(response, 401, 'text/plain', 'log in first');
  else void signTicket().then((ticket) => answer(response, 200, 'text/plain', ticket));
});
backend.listen(port, '127.0.0.1', () => console.log(`tickets for ${server}: http://127.0.0.1:${portOf()}`));

function portOf(): number {
  const address = backend.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
