import {
  addressKey,
  audience,
  isErrorCode,
  requestHash,
  signToken,
  tokenTimes,
  type AccountId,
  type BundlesJson,
  type BundlesRequestJson,
  type Clock,
  type DeviceAddress,
  type DeviceListJson,
  type DiscoveryJson,
  type ErrorCode,
  type HttpClaims,
  type PrekeyCheckJson,
  type PrekeyCountJson,
  type PrekeysJson,
  type RegisterJson,
  type RegisteredJson,
  type UsernameJson,
  type UsernameLookupJson,
} from '@waxwing/protocol';
import type { HttpRequest, HttpResponse, SendHttp } from './http.ts';
import { AnswerFault, parseJsonObject, type JsonObject } from './json-answer.ts';
import { readBundles, readDeviceList, readDiscovery, readPrekeyCount, readRegistered } from './keys-answers.ts';
import { parseRetryAfter } from './retry-after.ts';

/** `unreachable`: no answer came, and what was asked may have happened. `server_fault`: an answer that the contract does not know. */
export type KeysAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ErrorCode | 'unreachable' | 'server_fault'; readonly retryAfterMs?: number };

/** The claims of one request's token but for the device's own, `iss` and `gen`. */
export type RequestClaims = Omit<HttpClaims, 'iss' | 'gen'>;

/** Makes the token of one request. */
export type MakeToken = (claims: RequestClaims) => string | Promise<string>;

/** The routes of the keyserver. Nothing is tried twice but what a wrong clock spoilt; nothing is kept but how wrong it is. */
export type KeyserverClient = {
  /** Open, or by a ticket. The same list may be sent again until an answer comes, with whatever ticket. */
  register(registration: RegisterJson, idempotencyKey: string, ticket?: string): Promise<KeysAnswer<RegisteredJson>>;
  /** At most `accountsPerBundles` accounts; those that do not exist are left out of the answer, others are never in it. */
  bundles(accounts: readonly AccountId[], idempotencyKey: string): Promise<KeysAnswer<BundlesJson>>;
  deviceList(account: AccountId): Promise<KeysAnswer<DeviceListJson>>;
  putPrekeys(prekeys: PrekeysJson): Promise<KeysAnswer<undefined>>;
  prekeyCount(): Promise<KeysAnswer<PrekeyCountJson>>;
  /** Whether the server holds the repeated keys that the digest is of. */
  prekeyCheck(digest: string): Promise<KeysAnswer<boolean>>;
  setUsername(username: UsernameJson): Promise<KeysAnswer<undefined>>;
  /** `not_found` for a username that nobody has. */
  lookupUsername(hash: string): Promise<KeysAnswer<AccountId>>;
  /** Open. */
  discovery(): Promise<KeysAnswer<DiscoveryJson>>;
};

type Call = {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly json?: object;
  readonly idempotencyKey?: string;
  /** Beside the body, so that a retry with another one has the same body. */
  readonly ticket?: string;
  /** Without a token. */
  readonly open?: true;
};

/** A token function for one device; its generations are read at each request, oldest first. */
export function deviceTokens(o: {
  readonly device: DeviceAddress;
  readonly generations: () => readonly Uint8Array[];
  readonly sign: (message: Uint8Array) => Uint8Array;
}): MakeToken {
  return (claims) => {
    const gen = o.generations().map((generation) => Buffer.from(generation).toString('base64url'));
    return signToken({ iss: addressKey(o.device), ...claims, gen }, o.sign);
  };
}

/** `server` is the origin that the app dials, and what tokens are for. */
export function createKeyserverClient(o: {
  readonly server: string;
  readonly http: SendHttp;
  readonly clock: Clock;
  readonly token: MakeToken;
}): KeyserverClient {
  const origin = new URL(o.server).origin;
  let clockSkewMs = 0;

  async function exchange(call: Call, aheadMs = 0): Promise<HttpResponse | undefined> {
    const body = call.json && Buffer.from(JSON.stringify(call.json));
    const headers: Record<string, string> = { accept: 'application/json, application/problem+json' };
    if (body) headers['content-type'] = 'application/json';
    if (call.idempotencyKey !== undefined) headers['idempotency-key'] = call.idempotencyKey;
    if (call.ticket !== undefined) headers['waxwing-ticket'] = call.ticket;
    if (!call.open) {
      const req = requestHash(call.method, call.path, body ?? new Uint8Array());
      const times = tokenTimes(o.clock.now() + clockSkewMs + aheadMs);
      headers.authorization = `Bearer ${await o.token({ aud: audience('keys', origin), req, ...times })}`;
    }
    try {
      return await o.http({ method: call.method, url: `${origin}${call.path}`, headers, ...(body && { body }) });
    } catch {
      return undefined;
    }
  }

  /** The answer, after one more try where the token was too old or young, or one like it was used within the second. */
  async function answerTo(call: Call): Promise<HttpResponse | undefined> {
    const response = await exchange(call);
    if (!response || call.open) return response;
    switch (problemCode(response)) {
      case 'token_expired': {
        const serverMs = Date.parse(response.headers.date ?? '');
        if (Number.isNaN(serverMs)) return response;
        clockSkewMs = serverMs - o.clock.now();
        return exchange(call);
      }
      case 'token_replayed':
        return exchange(call, 1_000);
      default:
        return response;
    }
  }

  async function request<T>(call: Call, read: (json: JsonObject) => T): Promise<KeysAnswer<T>> {
    const response = await answerTo(call);
    if (!response) return { ok: false, code: 'unreachable' };
    if (!isSuccess(response)) return failure(response);
    try {
      return { ok: true, value: read(parseJsonObject(response.body)) };
    } catch (error) {
      if (error instanceof AnswerFault) return { ok: false, code: 'server_fault' };
      throw error;
    }
  }

  /** For routes that answer with no body. */
  async function command(call: Call): Promise<KeysAnswer<undefined>> {
    const response = await answerTo(call);
    if (!response) return { ok: false, code: 'unreachable' };
    return isSuccess(response) ? { ok: true, value: undefined } : failure(response);
  }

  return {
    register: (json, idempotencyKey, ticket) =>
      request(
        {
          method: 'POST',
          path: '/v1/accounts',
          json,
          idempotencyKey,
          open: true,
          ...(ticket !== undefined && { ticket }),
        },
        readRegistered,
      ),
    bundles(accounts, idempotencyKey) {
      const json: BundlesRequestJson = { accounts };
      return request({ method: 'POST', path: '/v1/bundles', json, idempotencyKey }, (answer) =>
        readBundles(answer, accounts),
      );
    },
    deviceList: (account) => request({ method: 'GET', path: `/v1/accounts/${account}/device-list` }, readDeviceList),
    putPrekeys: (json) => command({ method: 'PUT', path: '/v1/prekeys', json }),
    prekeyCount: () => request({ method: 'GET', path: '/v1/prekeys/count' }, readPrekeyCount),
    prekeyCheck(digest) {
      const json: PrekeyCheckJson = { digest };
      return request({ method: 'POST', path: '/v1/prekeys/check', json }, (answer) => answer.flag('same'));
    },
    setUsername: (json) => command({ method: 'PUT', path: '/v1/username', json }),
    lookupUsername(hash) {
      const json: UsernameLookupJson = { hash };
      return request({ method: 'POST', path: '/v1/usernames/lookup', json }, (answer) => answer.account('account'));
    },
    discovery: () => request({ method: 'GET', path: '/.well-known/waxwing', open: true }, readDiscovery),
  };
}

function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

function failure(response: HttpResponse): KeysAnswer<never> {
  const retryAfterMs = parseRetryAfter(response.headers['retry-after']);
  return { ok: false, code: problemCode(response), ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** The code of a problem document; of an answer without one, as a proxy gives it, what its status says. */
function problemCode(response: HttpResponse): ErrorCode | 'server_fault' {
  if (isSuccess(response)) return 'server_fault';
  try {
    const code = parseJsonObject(response.body).text('code');
    if (isErrorCode(code)) return code;
  } catch (error) {
    if (!(error instanceof AnswerFault)) throw error;
  }
  return statusCodes[response.status] ?? 'server_fault';
}

const statusCodes: Readonly<Record<number, ErrorCode>> = {
  413: 'too_large',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};
