import { systemRuntime as base } from '@waxwing/protocol';
import type { Runtime } from './runtime.ts';
import { createLibsignalCrypto } from './session/libsignal-crypto.ts';
import { createFetchHttp } from './transport/fetch-http.ts';
import { createWebSocketDial } from './transport/websocket.ts';

/** The real outside: clock, timers and random source of the system, libsignal, WebSockets over ws, and the global fetch. */
export function systemRuntime(): Runtime {
  return {
    ...base,
    crypto: createLibsignalCrypto(base.randomBytes),
    dial: createWebSocketDial(),
    http: createFetchHttp(base.timers),
  };
}
