import type { ClientErrorCode } from './errors.ts';
import { isErrorCode, type ErrorCode } from '@waxwing/protocol';
import type { LinkState } from './transport/relay-link.ts';

/**
 *   offline ⇄ connecting → catching-up → online ─lost─▶ offline
 *   needs-auth, displaced, cloned: ended; `connect()` tries again, but for `cloned`, which is final
 *   closed: the client is closed
 */
export type ConnectionState = {
  readonly state:
    'offline' | 'connecting' | 'catching-up' | 'online' | 'needs-auth' | 'displaced' | 'cloned' | 'closed';
  /** Why it is so: a code, or what the connection ended with. */
  readonly reason?: string;
  /** When the next attempt is made. */
  readonly retryAt?: Date;
};

export function connectionState(link: LinkState): ConnectionState {
  switch (link.type) {
    case 'down': {
      const { reason, retryAtMs } = link;
      return {
        state: 'offline',
        ...(reason !== undefined && { reason }),
        ...(retryAtMs !== undefined && { retryAt: new Date(retryAtMs) }),
      };
    }
    case 'connecting':
      return { state: 'connecting' };
    case 'draining':
    case 'live':
      return { state: 'catching-up' };
    case 'stopped':
      return stopped(link.reason);
  }
}

function stopped(reason: ErrorCode | 'closed'): ConnectionState {
  switch (reason) {
    case 'closed':
      return { state: 'offline' };
    case 'cloned':
    case 'displaced':
      return { state: reason };
    default:
      return { state: 'needs-auth', reason };
  }
}

/** The error with which waiting for a connection ends in this state, or undefined while it may still come. */
export function finalError(state: ConnectionState): ErrorCode | ClientErrorCode | undefined {
  switch (state.state) {
    case 'cloned':
    case 'displaced':
    case 'closed':
      return state.state;
    case 'needs-auth':
      return state.reason !== undefined && isErrorCode(state.reason) ? state.reason : 'token_rejected';
    default:
      return undefined;
  }
}
