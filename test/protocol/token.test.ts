import { generateKeyPairSync, sign as ed25519, verify as ed25519Verify } from 'node:crypto';
import fc from 'fast-check';
import { compactVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  audience,
  claimsFault,
  limits,
  parseAccountId,
  parseDeviceId,
  readClaims,
  requestHash,
  signToken,
  tokenIssuer,
  tokenTimes,
  type Expected,
  type HttpClaims,
  type RelayClaims,
  type TokenClaims,
} from '@waxwing/protocol';

const NOW_MS = 1_800_000_000_000;
const keys = generateKeyPairSync('ed25519');
const sign = (message: Uint8Array) => Uint8Array.from(ed25519(null, message, keys.privateKey));

const iss = '00112233-4455-4077-8899-aabbccddeeff.7';
const times = tokenTimes(NOW_MS);
const relay: RelayClaims = { iss, aud: 'relay:https://a.example', ...times, nonce: 'bm9uY2U' };
const http: HttpClaims = { iss, aud: 'keys:https://a.example', ...times, req: 'cmVx', gen: ['Zw', 'aA'] };
const atRelay: Expected = { form: 'relay', audiences: [relay.aud], nonce: relay.nonce, nowMs: NOW_MS };
const atKeys: Expected = { form: 'http', audiences: [http.aud], req: http.req, nowMs: NOW_MS };

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const forged = (header: unknown, claims: unknown) => `${base64url(header)}.${base64url(claims)}.c2ln`;
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'token_malformed' }) as Error;

describe('a token', () => {
  it.each([relay, http])('comes back as it was signed', (claims) => {
    expect(readClaims(signToken(claims, sign))).toEqual(claims);
  });

  it('comes back whatever its claims are', () => {
    const text = fc.string({ maxLength: 60 });
    const times = { iat: fc.maxSafeInteger(), exp: fc.maxSafeInteger() };
    const claims: fc.Arbitrary<TokenClaims> = fc.oneof(
      fc.record({ iss: text, aud: text, ...times, nonce: text }, { noNullPrototype: true }),
      fc.record(
        { iss: text, aud: text, ...times, req: text, gen: fc.array(text, { maxLength: 6 }) },
        { noNullPrototype: true },
      ),
    );
    fc.assert(
      fc.property(claims, (one) => {
        expect(readClaims(signToken(one, sign))).toEqual(one);
      }),
    );
  });

  it.each([relay, http])('is a compact JWS that any library verifies', async (claims) => {
    const token = signToken(claims, sign);
    const { payload, protectedHeader } = await compactVerify(token, keys.publicKey, { algorithms: ['EdDSA'] });
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(claims);
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'JWT' });
    const [header, body, signature] = token.split('.');
    const input = Buffer.from(`${header!}.${body!}`);
    expect(ed25519Verify(null, input, keys.publicKey, Buffer.from(signature!, 'base64url'))).toBe(true);
  });

  it('lives for the lifetime of the table, from the server clock’s second', () => {
    expect(tokenTimes(NOW_MS + 999)).toEqual({
      iat: NOW_MS / 1_000,
      exp: NOW_MS / 1_000 + limits.tokenLifetimeMs / 1_000,
    });
  });
});

describe('reading claims', () => {
  const header = { alg: 'EdDSA', typ: 'JWT' };

  it.each([
    ['no token', ''],
    ['two parts', forged(header, relay).split('.').slice(0, 2).join('.')],
    ['four parts', `${forged(header, relay)}.more`],
    ['another algorithm', forged({ alg: 'none' }, relay)],
    ['a symmetric algorithm', forged({ alg: 'HS256' }, relay)],
    ['a header that demands an extension', forged({ ...header, crit: ['exp'] }, relay)],
    ['a header that is no object', forged('EdDSA', relay)],
    ['a header that is null', forged(null, relay)],
    ['a header that is no JSON', `e30x.${base64url(relay)}.c2ln`],
    ['claims that are no JSON', `${base64url(header)}.e30x.c2ln`],
    ['claims that are no object', forged(header, 7)],
    ['claims that are null', forged(header, null)],
    ['no issuer', forged(header, { ...relay, iss: undefined })],
    ['an audience that is a list', forged(header, { ...relay, aud: [relay.aud] })],
    ['a time that is text', forged(header, { ...relay, exp: '1' })],
    ['a time with a fraction', forged(header, { ...relay, iat: 1.5 })],
    ['a time beyond 2^53', forged(header, { ...relay, exp: 2 ** 53 })],
    ['neither nonce nor request', forged(header, { iss, aud: relay.aud, ...times })],
    ['a nonce that is no text', forged(header, { ...relay, nonce: 7 })],
    ['a request without generations', forged(header, { ...http, gen: undefined })],
    ['generations that are no list', forged(header, { ...http, gen: 'Zw' })],
    ['a generation that is no text', forged(header, { ...http, gen: ['Zw', 7] })],
    ['more generations than are kept', forged(header, { ...http, gen: Array.from({ length: 65 }, () => 'Zw') })],
    ['nonce and request in one', forged(header, { ...http, nonce: 'bm9uY2U' })],
    ['more bytes than a token may have', `${forged(header, relay)}${'x'.repeat(limits.tokenMaxBytes)}`],
  ])('refuses %s', (_, token) => {
    expect(() => readClaims(token)).toThrow(refused);
  });

  it('refuses or reads whatever text comes, and claims no member that is not a claim', () => {
    const claims = fc.record(
      {
        iss: fc.anything(),
        aud: fc.anything(),
        iat: fc.anything(),
        exp: fc.anything(),
        nonce: fc.anything(),
        gen: fc.anything(),
        req: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const text = (value: unknown) => Buffer.from(fc.stringify(value)).toString('base64url');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          claims.map((one) => `${base64url(header)}.${text(one)}.c2ln`),
        ),
        (token) => {
          try {
            readClaims(token);
          } catch (error) {
            expect(error).toMatchObject({ name: 'ProtocolError', code: 'token_malformed' });
          }
        },
      ),
    );
    expect(readClaims(forged(header, { ...relay, admin: true }))).toEqual(relay);
  });
});

describe('the issuer', () => {
  it('is the device’s address', () => {
    const account = parseAccountId(iss.slice(0, 36));
    expect(tokenIssuer(relay)).toEqual({ account, device: parseDeviceId(7) });
    expect(tokenIssuer({ ...relay, iss: `${account}.127` }).device).toBe(127);
  });

  it.each(
    ['', '.', iss.slice(0, 36), `${iss.slice(0, 36)}.`, `${iss.slice(0, 36)}.0`, `${iss.slice(0, 36)}.128`]
      .concat([`${iss.slice(0, 36)}.07`, `${iss.slice(0, 36)}.0x7`, `${iss.slice(0, 36)}.7e0`, `${iss}.1`, `${iss} `])
      .concat([iss.toUpperCase(), 'nobody.7', `${iss}\n`, `${iss.slice(0, 36)}.1000`]),
  )('is refused in any other writing: %j', (text) => {
    expect(() => tokenIssuer({ ...relay, iss: text })).toThrow(refused);
  });
});

describe('checking claims', () => {
  it('finds no fault where all is as expected', () => {
    expect(claimsFault(relay, atRelay)).toBeUndefined();
    expect(claimsFault(http, atKeys)).toBeUndefined();
  });

  it('finds neither form good for the other, whatever else agrees', () => {
    const text = fc.constantFrom('bm9uY2U', 'cmVx', '', 'undefined');
    fc.assert(
      fc.property(text, text, text, fc.array(text, { maxLength: 2 }), (aud, nonce, req, gen) => {
        const asRelay: RelayClaims = { iss, aud, ...times, nonce };
        const asHttp: HttpClaims = { iss, aud, ...times, req, gen };
        expect(claimsFault(asRelay, { form: 'http', audiences: [aud], req, nowMs: NOW_MS })).toBe('token_form');
        expect(claimsFault(asHttp, { form: 'relay', audiences: [aud], nonce, nowMs: NOW_MS })).toBe('token_form');
        expect(
          claimsFault(readClaims(signToken(asRelay, sign)), { form: 'http', audiences: [aud], req, nowMs: NOW_MS }),
        ).toBe('token_form');
        expect(
          claimsFault(readClaims(signToken(asHttp, sign)), { form: 'relay', audiences: [aud], nonce, nowMs: NOW_MS }),
        ).toBe('token_form');
      }),
    );
  });

  const shifted = (iatS: number, expS: number): TokenClaims => ({
    ...relay,
    iat: times.iat + iatS,
    exp: times.iat + expS,
  });

  it.each([
    ['another audience', { ...relay, aud: 'relay:https://b.example' }, 'token_audience'],
    ['the audience of the other server', { ...relay, aud: http.aud }, 'token_audience'],
    ['another nonce', { ...relay, nonce: 'b3RoZXI' }, 'token_replayed'],
    ['a token at its end', shifted(-60, 0), 'token_expired'],
    ['a token that lives a second too long', shifted(0, 61), 'token_expired'],
    ['a token from the future', shifted(6, 60), 'token_expired'],
    ['a token that ends before it begins', shifted(3, -3), 'token_expired'],
  ] as const)('finds %s', (_, claims, code) => {
    expect(claimsFault(claims, atRelay)).toBe(code);
  });

  it('allows for a clock that is a little behind', () => {
    expect(claimsFault(shifted(limits.tokenFutureMs / 1_000, 60), atRelay)).toBeUndefined();
  });

  it('finds a token of another request', () => {
    expect(claimsFault({ ...http, req: 'b3RoZXI' }, atKeys)).toBe('token_replayed');
  });
});

describe('what a token is bound to', () => {
  it('is role and origin as dialled, alike for http and ws', () => {
    expect(audience('relay', 'wss://A.example:443/v1/relay?x')).toBe('relay:https://a.example');
    expect(audience('relay', 'ws://127.0.0.1:7700')).toBe('relay:http://127.0.0.1:7700');
    expect(audience('keys', 'https://a.example/')).toBe('keys:https://a.example');
    expect(audience('keys', 'https://a.example')).not.toBe(audience('relay', 'https://a.example'));
  });

  it('is every byte of method, path with query, and body', () => {
    const request = fc.tuple(
      fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
      fc.webPath().map((path) => `/${path}`),
      fc.uint8Array({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(request, request, (one, other) => {
        const same = one[0] === other[0] && one[1] === other[1] && Buffer.compare(one[2], other[2]) === 0;
        expect(requestHash(...one) === requestHash(...other)).toBe(same);
      }),
    );
    expect(requestHash('put', '/v1/x', new Uint8Array())).toBe(requestHash('PUT', '/v1/x', new Uint8Array()));
  });
});
