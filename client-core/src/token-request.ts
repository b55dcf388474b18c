import {
  addressKey,
  audience,
  requestHash,
  signToken,
  tokenTimes,
  type DeviceAddress,
  type TokenClaims,
} from '@waxwing/protocol';

/** One request to the keyserver, as it will be sent. `path` is with its query, `body` the bytes; absent: none. */
export type HttpTokenRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array;
};

/** What a token is for: one request to the keyserver, or the answer to one challenge of the relay, by its nonce. */
export type TokenRequest = {
  /** The origin that is dialled. Absent: the device's server. */
  readonly server?: string | URL;
} & (HttpTokenRequest | { readonly nonce: Uint8Array });

/** The token of a device; good for `tokenLifetimeMs` from `serverNowMs`, for this alone. */
export function tokenFor(
  request: TokenRequest & { readonly server: string | URL },
  o: {
    readonly device: DeviceAddress;
    /** Oldest first. */
    readonly generations: readonly Uint8Array[];
    readonly serverNowMs: number;
    readonly sign: (message: Uint8Array) => Uint8Array;
  },
): string {
  const origin = String(request.server);
  const common = { iss: addressKey(o.device), ...tokenTimes(o.serverNowMs) };
  const claims: TokenClaims =
    'nonce' in request
      ? { ...common, aud: audience('relay', origin), nonce: toText(request.nonce) }
      : {
          ...common,
          aud: audience('keys', origin),
          req: requestHash(request.method, request.path, request.body ?? new Uint8Array()),
          gen: o.generations.map(toText),
        };
  return signToken(claims, o.sign);
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
