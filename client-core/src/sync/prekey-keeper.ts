import { limits, type PrekeysJson } from '@waxwing/protocol';
import type { KeyserverClient } from '../transport/keyserver-client.ts';
import type { SyncContext } from './context.ts';
import { tellFull } from './told.ts';

/** The signed prekey and the last-resort key are renewed after this; the ones before stay readable. */
const REPEATED_KEYS_MS = 7 * 24 * 60 * 60 * 1_000;

/** Keeps one-time keys at the keyserver, and its repeated keys fresh. Private parts are durable before public ones leave. */
export class PrekeyKeeper {
  readonly #context: SyncContext;
  readonly #keyserver: KeyserverClient;
  /** Made and durable, but not known to be published: sent again as it is. */
  #unsent: PrekeysJson | undefined;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(context: SyncContext, keyserver: KeyserverClient) {
    this.#context = context;
    this.#keyserver = keyserver;
  }

  /** Looks whether keys are low or old, and publishes what is missing. A failure is tried again at the next call. */
  topUp(): void {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) this.topUp();
    });
  }

  async stop(): Promise<void> {
    this.#again = false;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      try {
        await this.#look();
      } catch (error) {
        tellFull(this.#context, error);
      }
    }
  }

  async #look(): Promise<void> {
    if (this.#unsent === undefined) {
      const counted = await this.#keyserver.prekeyCount();
      if (!counted.ok) return;
      const { oneTimeKeys, oneTimeKyberKeys } = counted.value;
      const low = Math.min(oneTimeKeys, oneTimeKyberKeys) < limits.prekeysLowBelow;
      const room = limits.oneTimeKeysPerDevice - Math.max(oneTimeKeys, oneTimeKyberKeys);
      this.#unsent = await this.#make(low ? Math.min(limits.oneTimeKeysPerUpload, room) : 0);
    }
    if (this.#unsent === undefined) return;
    const sent = await this.#keyserver.putPrekeys(this.#unsent);
    if (sent.ok || sent.code === 'key_conflict') this.#unsent = undefined;
    else this.#context.events.emit({ type: 'serverRefused', code: sent.code, what: 'prekeys' });
  }

  #make(count: number): Promise<PrekeysJson | undefined> {
    const { work, crypto, local, store, clock } = this.#context;
    return work.run((overlay) => {
      const device = store.device.get();
      const nowMs = clock.now();
      const old = device !== undefined && nowMs - device.repeatedKeysAtMs >= REPEATED_KEYS_MS;
      if (device === undefined || (count === 0 && !old)) return () => undefined;
      const id = device.nextPrekeyId;
      const repeated = old ? crypto.createRepeatedKeys(local, id, nowMs) : undefined;
      const first = id + 1;
      const oneTime = count > 0 ? crypto.createOneTimeKeys(local, first, count, nowMs) : undefined;
      overlay.stage([...(repeated?.changes ?? []), ...(oneTime?.changes ?? [])]);
      return () => {
        store.device.setPrekeys(first + count, old ? nowMs : device.repeatedKeysAtMs);
        return { ...repeated?.upload, ...oneTime?.upload };
      };
    });
  }
}
