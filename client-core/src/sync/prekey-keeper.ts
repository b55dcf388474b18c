import { errorRow, isErrorCode, limits, type PrekeysJson } from '@waxwing/protocol';
import type { KeyserverClient } from '../transport/keyserver-client.ts';
import type { SyncContext } from './context.ts';
import { tellFull } from './told.ts';

/**
 * Keeps one-time keys at the keyserver, and its signed prekey and last-resort key fresh; forgets those that no first
 * message can name any more. Private parts, and the request itself, are durable before the request leaves; until its
 * answer is, the same bytes are sent again.
 */
export class PrekeyKeeper {
  readonly #context: SyncContext;
  readonly #keyserver: KeyserverClient;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(context: SyncContext, keyserver: KeyserverClient) {
    this.#context = context;
    this.#keyserver = keyserver;
  }

  /** Looks whether keys are low or old, and publishes what is missing; from the first call on also by itself. */
  topUp(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) this.topUp();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#again = false;
    this.#cancel?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      let isDone = false;
      try {
        await this.#forgetOld();
        isDone = await this.#look();
      } catch (error) {
        tellFull(this.#context, error);
      }
      this.#wakeAfter(isDone ? limits.prekeysLookMs : limits.prekeysRetryMs);
    }
  }

  #wakeAfter(ms: number): void {
    this.#cancel?.();
    if (!this.#stopped) this.#cancel = this.#context.timers.after(ms, () => this.topUp());
  }

  async #forgetOld(): Promise<void> {
    const { store, work, clock } = this.#context;
    const nowMs = clock.now();
    const { pairs, isAhead } = store.prekeys.forgettable(nowMs, limits.repeatedKeysKeptMs);
    if (pairs.length === 0 && !isAhead) return;
    await work.run(() => () => store.prekeys.forget(nowMs, limits.repeatedKeysKeptMs));
  }

  /** False where the server is to be asked again. */
  async #look(): Promise<boolean> {
    const { store } = this.#context;
    const unanswered = store.prekeys.upload();
    if (unanswered && !(await this.#publish(unanswered))) return false;
    const counted = await this.#keyserver.prekeyCount();
    if (!counted.ok) return false;
    const { oneTimeKeys, oneTimeKyberKeys } = counted.value;
    const low = Math.min(oneTimeKeys, oneTimeKyberKeys) < limits.prekeysLowBelow;
    const room = limits.oneTimeKeysPerDevice - Math.max(oneTimeKeys, oneTimeKyberKeys);
    const made = await this.#make(low ? Math.min(limits.oneTimeKeysPerUpload, room) : 0);
    return made === undefined || this.#publish(made);
  }

  /** Whether the upload has its outcome. */
  async #publish(upload: Uint8Array): Promise<boolean> {
    const { store, work, clock, events } = this.#context;
    const keys = parseUpload(upload);
    const pair = keys.signedPrekey?.id;
    const sent = await this.#keyserver.putPrekeys(keys);
    if (sent.ok) {
      await work.run(() => () => store.prekeys.published(pair, clock.now()));
      return true;
    }
    if (sent.code !== 'key_conflict') events.emit({ type: 'serverRefused', code: sent.code, what: 'prekeys' });
    if (!isErrorCode(sent.code) || errorRow(sent.code).retry !== 'never') return false;
    await work.run(() => () => store.prekeys.refused(pair, clock.now()));
    return true;
  }

  /** Makes what is due; undefined where nothing is. */
  #make(count: number): Promise<Uint8Array | undefined> {
    const { work, crypto, local, store, clock } = this.#context;
    return work.run((overlay) => {
      const device = store.device.get();
      const nowMs = clock.now();
      // Also where the clock was set back by as much.
      const old = device !== undefined && Math.abs(nowMs - device.repeatedKeysAtMs) >= limits.repeatedKeysMs;
      if (device === undefined || (count === 0 && !old)) return () => undefined;
      const id = device.nextPrekeyId;
      const repeated = old ? crypto.createRepeatedKeys(local, id, nowMs) : undefined;
      const first = id + 1;
      const oneTime = count > 0 ? crypto.createOneTimeKeys(local, first, count, nowMs) : undefined;
      overlay.stage([...(repeated?.changes ?? []), ...(oneTime?.changes ?? [])]);
      const upload = Buffer.from(JSON.stringify({ ...repeated?.upload, ...oneTime?.upload } satisfies PrekeysJson));
      return () => {
        store.prekeys.made(upload, first + count, old ? nowMs : device.repeatedKeysAtMs);
        return upload;
      };
    });
  }
}

/** The request as this file wrote it. */
function parseUpload(bytes: Uint8Array): PrekeysJson {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString());
  if (!isUpload(value)) throw new TypeError('the kept upload is not one');
  return value;
}

function isUpload(value: unknown): value is PrekeysJson {
  return typeof value === 'object' && value !== null && ('signedPrekey' in value || 'oneTimeKeys' in value);
}
