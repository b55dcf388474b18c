import {
  decodeSubmitBody,
  limits,
  ProtocolError,
  sha256,
  type Clock,
  type DirectSubmit,
  type Down,
  type Entries,
  type ErrorCode,
  type Heads,
  type Rejected,
  type Submit,
  type SubmitBody,
} from '@waxwing/protocol';
import {
  deviceKeyText,
  type DeviceKey,
  type DirectResult,
  type MailboxStore,
  type SubmitResult,
} from '@waxwing/storage';
import type { Metrics } from './metrics.ts';
import type { DeviceRates } from './rate-limit.ts';

export type Request = Submit | DirectSubmit | Heads | Entries;

/**
 * Answers one device's requests from the store: each with one answer that repeats its request number, in no promised
 * order. Submits go to the store in the order in which they came, without waiting for each other.
 *
 * `Accepted` is said only when the store has resolved; a store that fails is `Rejected` with `unavailable`.
 */
export type Dispatch = {
  handle(request: Request): void;
  /** From now on, submits are answered `unavailable`. */
  refuseSubmits(): void;
  /** Resolves when every request that came has been answered. */
  idle(): Promise<void>;
};

export type DispatchDeps = {
  readonly device: DeviceKey;
  readonly mailboxes: MailboxStore;
  readonly rates: DeviceRates;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly reply: (down: Down) => void;
  /** The device asked for something that no correct device asks for. */
  readonly onFault: () => void;
  readonly onStoreFault: (error: unknown) => void;
};

/** Rejections that a correct device never gets: they count towards `errorsPerMinute`. */
const faults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'malformed',
  'too_large',
  'bad_recipients',
  'conflict',
  'stale_n',
  'floor_ahead',
  'window_full',
]);

/** Where a device has sent too much, it waits until a full window fits again. */
const fullWindowMs = (limits.windowInAll / limits.submitsPerDeviceRefillPerSecond) * 1_000;

export function createDispatch(deps: DispatchDeps): Dispatch {
  const { device, mailboxes, rates, clock, metrics, reply } = deps;
  const key = deviceKeyText(device);
  let submits = 0;
  let queries = 0;
  let isRefusing = false;
  const onIdle: (() => void)[] = [];

  const reject = (request: number, code: ErrorCode, more?: Partial<Rejected>): void => {
    reply({ type: 'rejected', request, code, retryAfterMs: 0, mismatches: [], ...more });
    if (faults.has(code)) deps.onFault();
  };

  const settle = (): void => {
    if (submits > 0 || queries > 0) return;
    for (const call of onIdle.splice(0)) call();
  };

  const submit = (up: Submit | DirectSubmit): void => {
    const startMs = clock.now();
    submits += 1;
    const end = (code: ErrorCode | 'accepted' | 'duplicate'): void => {
      submits -= 1;
      metrics.submitted(up.type === 'submit' ? 'sequenced' : 'direct', code, (clock.now() - startMs) / 1_000);
      settle();
    };
    const fail = (error: unknown): void => {
      if (error instanceof ProtocolError) {
        reject(up.request, error.code);
        end(error.code);
        return;
      }
      deps.onStoreFault(error);
      reject(up.request, 'unavailable', { retryAfterMs: limits.storeRetryMs });
      end('unavailable');
    };
    const finish = (result: SubmitResult | DirectResult): void => {
      let code: ErrorCode | 'accepted' | 'duplicate';
      try {
        code = answer(up, result);
      } catch (error) {
        fail(error);
        return;
      }
      end(code);
    };
    try {
      const held = refusal(up);
      if (held) {
        reject(up.request, held.code, { retryAfterMs: held.waitMs });
        end(held.code);
        return;
      }
      // One promise and its two outcomes: this is done for every message.
      ask(up).then(finish, fail);
    } catch (error) {
      fail(error);
    }
  };

  /** Throws ProtocolError on a body that no device may send. */
  const ask = (up: Submit | DirectSubmit): Promise<SubmitResult | DirectResult> => {
    const body = decodeSubmitBody(up.body);
    return up.type === 'submit' ? mailboxes.submit(sequenced(up, body)) : mailboxes.submitDirect(direct(up, body));
  };

  /** Answers a submit and names the result. */
  const answer = (
    up: Submit | DirectSubmit,
    result: SubmitResult | DirectResult,
  ): ErrorCode | 'accepted' | 'duplicate' => {
    const { request, attempt } = up;
    switch (result.type) {
      case 'accepted': {
        const n = up.type === 'submit' ? up.n : 0;
        reply({ attempt, ...result, type: 'accepted', request, n });
        return result.duplicate ? 'duplicate' : 'accepted';
      }
      case 'mismatch':
        reject(request, 'mismatch', { mismatches: result.mismatches });
        return 'mismatch';
      case 'stale_group':
        reject(request, 'stale_group', { lastChange: result.lastChange });
        return 'stale_group';
      case 'refused':
        reject(request, result.code, result.code === 'store_full' ? { retryAfterMs: limits.storeRetryMs } : {});
        return result.code;
    }
  };

  /** Why a submit does not even reach the store. */
  const refusal = (up: Submit | DirectSubmit): { code: ErrorCode; waitMs: number } | undefined => {
    if (isRefusing) return { code: 'unavailable', waitMs: limits.storeRetryMs };
    const isOverWindow = up.type === 'submit' && up.n >= up.oldest + limits.windowPerHandle;
    if (isOverWindow || submits > limits.windowInAll) return { code: 'window_full', waitMs: 0 };
    const waitMs = rates.submits.take(key);
    return waitMs > 0 ? { code: 'rate_limited', waitMs: Math.max(waitMs, fullWindowMs) } : undefined;
  };

  const sequenced = (up: Submit, body: SubmitBody) => {
    const { handle, n, attempt, oldest, floor, changeBase } = up;
    return {
      ...body,
      sender: device,
      handle,
      n,
      attempt,
      oldest,
      digest: sha256(up.body),
      ...(floor && { floor }),
      ...(changeBase !== undefined && { changeBase }),
    };
  };

  const direct = (up: DirectSubmit, body: SubmitBody) => {
    const { messageId, attempt } = up;
    const { change, visible, urgent, recipients, sharedCiphertext } = body;
    if (change || sharedCiphertext) throw new ProtocolError('malformed', 'direct submit body');
    const isToNobody = recipients.length === 0 || recipients.some((recipient) => recipient.devices.length === 0);
    if (isToNobody) throw new ProtocolError('bad_recipients', 'direct submit');
    return { sender: device, messageId, attempt, visible, urgent, recipients };
  };

  const query = async (up: Heads | Entries): Promise<void> => {
    const { request } = up;
    const waitMs = up.type === 'heads' ? rates.heads.take(key, up.handles.length) : rates.submits.take(key);
    if (waitMs > 0) {
      reject(request, 'rate_limited', { retryAfterMs: waitMs });
      return;
    }
    if (queries >= limits.windowInAll) {
      reject(request, 'window_full');
      return;
    }
    queries += 1;
    try {
      if (up.type === 'heads') reply({ type: 'heads_reply', request, heads: await mailboxes.heads(up.handles) });
      else {
        const entries = await mailboxes.entries(up.handle, up.era, up.numbers, device);
        reply({ type: 'entries_reply', request, entries });
      }
    } catch (error) {
      deps.onStoreFault(error);
      reject(request, 'unavailable', { retryAfterMs: limits.storeRetryMs });
    }
    queries -= 1;
    settle();
  };

  return {
    handle(request) {
      if (request.type === 'submit' || request.type === 'direct_submit') submit(request);
      else void query(request);
    },
    refuseSubmits() {
      isRefusing = true;
    },
    idle: () =>
      new Promise((resolve) => {
        onIdle.push(resolve);
        settle();
      }),
  };
}
