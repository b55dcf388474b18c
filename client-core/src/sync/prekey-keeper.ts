import { errorRow, isErrorCode, limits, type PrekeysJson } from '@waxwing/protocol';
import type { KeyserverClient } from '../transport/keyserver-client.ts';
import type { CryptoChange } from '../session/crypto.ts';
import type { SyncContext } from './context.ts';
import { tellFull } from './told.ts';

/** What is said only where nothing was stored. Others a proxy may say of a request that the server behind it has taken. */
const untaken: ReadonlySet<string> = new Set(['rate_limited', 'store_full']);

/** What is kept until an upload is answered. */
type Kept = {
  /** The signed prekey and last-resort key, which are sent again as they are. */
  readonly repeated?: PrekeysJson;
  /** How many uploads of one-time keys in a row had no answer yet, and when the last of them left. */
  readonly unheard?: { readonly tries: number; readonly atMs: number };
};

/**
 * Keeps one-time keys at the keyserver, and its signed prekey and last-resort key fresh; forgets those that no first
 * message can name any more. Private parts are durable before the request leaves. Without an answer the repeated keys are
 * sent again; one-time keys never (docs/adr/0012-one-time-keys-are-sent-once.md): where the server still has few, others
 * are made, at once and then after ever longer waits.
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
    const { store, work, clock } = this.#context;
    const { repeated, unheard } = this.#kept();
    if (repeated && !(await this.#publish(repeated))) return false;
    const counted = await this.#keyserver.prekeyCount();
    if (!counted.ok) return false;
    const { oneTimeKeys, oneTimeKyberKeys } = counted.value;
    const isLow = Math.min(oneTimeKeys, oneTimeKyberKeys) < limits.prekeysLowBelow;
    const room = limits.oneTimeKeysPerDevice - Math.max(oneTimeKeys, oneTimeKyberKeys);
    if (unheard && !isLow) await work.run(() => () => store.prekeys.setUpload(undefined));
    const mustWait = isLow && unheard !== undefined && isResting(unheard, clock.now());
    const count = isLow && !mustWait ? Math.min(limits.oneTimeKeysPerUpload, room) : 0;
    // More than there may be is what a keyserver says that is none.
    const made = await this.#make(Math.max(0, count));
    if (made !== undefined && !(await this.#publish(made))) return false;
    return !mustWait;
  }

  #kept(): Kept {
    const bytes = this.#context.store.prekeys.upload();
    return bytes ? (JSON.parse(Buffer.from(bytes).toString()) as Kept) : {};
  }

  /** Whether the upload has its outcome. */
  async #publish(keys: PrekeysJson): Promise<boolean> {
    const { store, work, clock, events } = this.#context;
    const pair = keys.signedPrekey?.id;
    const { unheard } = this.#kept();
    // One-time keys that left before these are not answered by this.
    const left = keys.oneTimeKeys || !unheard ? undefined : toBytes({ unheard });
    const sent = await this.#keyserver.putPrekeys(keys);
    if (sent.ok) {
      await work.run(() => () => {
        store.prekeys.setUpload(left);
        if (pair !== undefined) store.prekeys.published(pair, clock.now());
      });
      return true;
    }
    if (sent.code !== 'key_conflict') events.emit({ type: 'serverRefused', code: sent.code, what: 'prekeys' });
    if (untaken.has(sent.code) && keys.oneTimeKeys) await this.#takeBack(keys);
    if (!isErrorCode(sent.code) || errorRow(sent.code).retry !== 'never') return false;
    await work.run(() => () => {
      store.prekeys.setUpload(left);
      if (pair !== undefined) store.prekeys.refused(pair, clock.now());
    });
    return true;
  }

  /** Nobody can name one-time keys that were not taken: they go, and the try was none. */
  async #takeBack({ oneTimeKeys = [], oneTimeKyberKeys = [] }: PrekeysJson): Promise<void> {
    const { store, work } = this.#context;
    const gone: CryptoChange[] = [
      ...oneTimeKeys.map(({ id }) => ({ kind: 'prekey' as const, key: String(id) })),
      ...oneTimeKyberKeys.map(({ id }) => ({ kind: 'kyber_prekey' as const, key: String(id) })),
    ];
    await work.run((overlay) => {
      overlay.stage(gone);
      const { unheard, ...rest } = this.#kept();
      const tries = (unheard?.tries ?? 0) - 1;
      const kept = { ...rest, ...(unheard && tries > 0 && { unheard: { ...unheard, tries } }) };
      return () => store.prekeys.setUpload(toBytes(kept));
    });
  }

  /** Makes what is due, so many one-time keys of each kind among it; undefined where nothing is. */
  #make(count: number): Promise<PrekeysJson | undefined> {
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
      const before = this.#kept().unheard;
      const unheard = oneTime ? { tries: (before?.tries ?? 0) + 1, atMs: nowMs } : before;
      const kept: Kept = { ...(repeated && { repeated: repeated.upload }), ...(unheard && { unheard }) };
      return () => {
        store.prekeys.made(toBytes(kept), first + count, old ? nowMs : device.repeatedKeysAtMs);
        return { ...repeated?.upload, ...oneTime?.upload };
      };
    });
  }
}

/** Whether it is too early for others after uploads that had no answer. A clock that was set back makes it no longer. */
function isResting({ tries, atMs }: NonNullable<Kept['unheard']>, nowMs: number): boolean {
  if (tries <= 1) return false;
  return Math.abs(nowMs - atMs) < Math.min(limits.prekeysRetryMs * 2 ** (tries - 2), limits.prekeysLookMs);
}

function toBytes(kept: Kept): Uint8Array {
  return Buffer.from(JSON.stringify(kept));
}
