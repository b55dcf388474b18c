import type { Runtime as BaseRuntime } from '@waxwing/protocol';
import type { Crypto } from './session/crypto.ts';
import type { Dial } from './transport/channel.ts';
import type { SendHttp } from './transport/http.ts';

/** What a client takes from outside. An app may replace any part. */
export type Runtime = BaseRuntime & {
  readonly crypto: Crypto;
  readonly dial: Dial;
  readonly http: SendHttp;
};
