import {
  addressKey,
  decodeSignedDeviceList,
  limits,
  type AccountBundlesJson,
  type AccountId,
  type DeviceBundleJson,
  type DeviceAddress,
  type ListedDevice,
} from '@waxwing/protocol';
import type { KeptList } from '../history/device-lists.ts';
import type { CryptoView, Peer } from '../session/crypto.ts';
import type { KeyserverClient } from '../transport/keyserver-client.ts';
import { noteAlarm, type Alarm } from './alarm.ts';
import type { SyncContext } from './context.ts';
import type { Bundles } from './bundles.ts';
import { directEpoch, type DirectEpoch } from './direct-epoch.ts';
import { checkList } from './list-check.ts';
import { settleListClaim, splitList } from './list-gossip.ts';
import { Rest } from './rest.ts';
import { sendHold, type SendHold } from './send-hold.ts';
import { tellFull } from './told.ts';
import { unlessMalformed } from './unless-malformed.ts';

/** How long a list that lacks a sender's device is not asked for again. */
const REFETCH_MS = 60_000;

/** How an account's bundles were last asked for, where no answer came: so they are asked for again, after the rest. */
type BundleAsk = { readonly key: string; readonly askedMs: number; readonly rest: Rest };

/** `missing`: no such account. `refused`: the server's list must not be used. */
export type Fetched = 'newer' | 'same' | 'missing' | 'refused' | 'unreachable';

/** Other accounts by their verified device lists: who their devices are, and under which handle one talks with them. */
export class Contacts {
  readonly #context: SyncContext;
  readonly #keyserver: KeyserverClient;
  readonly #kept = new Map<AccountId, KeptList>();
  readonly #epochs = new Map<AccountId, { readonly list: KeptList; readonly epoch: DirectEpoch | undefined }>();
  readonly #askedAtMs = new Map<string, number>();
  readonly #bundleAsks = new Map<AccountId, BundleAsk>();
  readonly #onNewer: (account: AccountId) => void;
  #stopped = false;

  /** `onNewer` is called when a newer list of an account is kept. */
  constructor(context: SyncContext, keyserver: KeyserverClient, onNewer: (account: AccountId) => void) {
    this.#context = context;
    this.#keyserver = keyserver;
    this.#onNewer = onNewer;
  }

  /** What is answered from now on is not kept: it counts as not reached. */
  stop(): void {
    this.#stopped = true;
  }

  /** The newest verified list, if there is one. */
  list(account: AccountId): KeptList | undefined {
    const known = this.#kept.get(account);
    if (known) return known;
    const kept = this.#context.store.lists.get(account);
    if (kept) this.#kept.set(account, kept);
    return kept;
  }

  own(): KeptList {
    const own = this.list(this.#context.local.address.account);
    if (own === undefined) throw new TypeError('the own device list is missing');
    return own;
  }

  device(address: DeviceAddress): ListedDevice | undefined {
    return this.list(address.account)?.list.devices.find(({ device }) => device === address.device);
  }

  /** A listed device with the identity key that is trusted for it. */
  peer(address: DeviceAddress): Peer | undefined {
    const kept = this.list(address.account);
    if (!kept?.list.devices.some(({ device }) => device === address.device)) return undefined;
    return { address, identityKey: kept.list.identityKey };
  }

  /** The same, to read what the device sent: for a while also in sessions with the account's key before. */
  sender(address: DeviceAddress): Peer | undefined {
    const peer = this.peer(address);
    const change = peer && this.#context.store.trust.change(address.account);
    if (!change || this.#context.clock.now() - change.atMs >= limits.formerIdentityMs) return peer;
    // A device that came with the new key, or after it, never had the one before.
    const isInBoth = (this.device(address)?.addedIn ?? Infinity) <= change.former.version;
    return isInBoth ? { ...peer, formerKey: change.former.key } : peer;
  }

  /** Whether a message can be encrypted for a device as its list is now. */
  hasSession(view: CryptoView, address: DeviceAddress): boolean {
    const { crypto, local, clock } = this.#context;
    const peer = this.peer(address);
    return peer !== undefined && crypto.hasSession(local, view, peer, clock.now());
  }

  /** Why nothing may be encrypted for an account now. */
  sendHold(account: AccountId): SendHold | undefined {
    const { store, identityPolicy } = this.#context;
    return sendHold(store, identityPolicy, account);
  }

  /** The devices of an account that a message goes to: all, but for this device itself. */
  recipients(account: AccountId): readonly ListedDevice[] {
    const { address } = this.#context.local;
    const devices = this.list(account)?.list.devices ?? [];
    return account === address.account ? devices.filter(({ device }) => device !== address.device) : devices;
  }

  /** The current epoch with an account whose list is known; undefined otherwise, or where its key must not be used. */
  epoch(account: AccountId): DirectEpoch | undefined {
    const list = this.list(account);
    if (list === undefined) return undefined;
    const known = this.#epochs.get(account);
    if (known?.list === list) return known.epoch;
    const { local, crypto } = this.#context;
    const own = { keyPair: local.identityKeyPair, account: local.address.account, list: this.own().list };
    const epoch = directEpoch(crypto, own, list.list);
    this.#epochs.set(account, { list, epoch });
    return epoch;
  }

  /** Asks the keyserver for an account's list and keeps it if it verifies. */
  async fetch(account: AccountId): Promise<Fetched> {
    if (this.#stopped) return 'unreachable';
    const known = this.#version(account);
    const claimed = this.#context.store.lists.claim(account)?.version ?? 0;
    const answer = await this.#keyserver.deviceList(account);
    if (!answer.ok) return answer.code === 'not_found' ? 'missing' : 'unreachable';
    const fetched = this.#take(account, answer.value.deviceList, known);
    // The devices of the account have told of a newer list than the server knows of.
    if (fetched === 'same' && this.#version(account) < claimed) {
      this.#alert({ account, what: 'device list withheld: an older one than its devices have' });
    }
    return fetched;
  }

  /** Like `fetch`, for a sender's device that no list names yet; at most once a minute for each. */
  async fetchFor(address: DeviceAddress): Promise<Fetched | 'asked lately'> {
    const { clock } = this.#context;
    const key = `${address.account}.${address.device}`;
    const last = this.#askedAtMs.get(key);
    if (last !== undefined && clock.now() - last < REFETCH_MS && clock.now() >= last) return 'asked lately';
    if (this.#askedAtMs.size > 10_000) this.#askedAtMs.clear();
    const fetched = await this.fetch(address.account);
    if (fetched !== 'unreachable') this.#askedAtMs.set(key, clock.now());
    return fetched;
  }

  /**
   * Fetches bundles of an account. `bundles` holds the devices of the verified list and no others; where the list that
   * came along must not be used there are none. Not before the server's wish; without an answer, as the same request
   * again, which takes no further one-time keys.
   */
  async fetchBundles(account: AccountId): Promise<{ fetched: Fetched; bundles: Bundles }> {
    if (this.#stopped || this.restMs(account) > 0) return { fetched: 'unreachable', bundles: new Map() };
    const ask = this.#bundleAsk(account);
    const known = this.#version(account);
    const answer = await this.#keyserver.bundles([account], ask.key);
    if (!answer.ok) {
      ask.rest.begin(Math.min(answer.retryAfterMs ?? 0, limits.retryAfterMaxMs));
      this.#bundleAsks.set(account, ask);
      return { fetched: 'unreachable', bundles: new Map() };
    }
    this.#bundleAsks.delete(account);
    const found = answer.value.bundles.find((bundle) => bundle.account === account);
    if (found === undefined) return { fetched: 'missing', bundles: new Map() };
    const fetched = this.#take(account, found.deviceList, known);
    if (fetched === 'refused' || fetched === 'unreachable') return { fetched, bundles: new Map() };
    return { fetched, bundles: this.#listed(account, found) };
  }

  /** The bundles of all these accounts. `missing`: one of them does not exist. `later`: not all are to be had now. */
  async fetchAllBundles(accounts: readonly AccountId[]): Promise<Bundles | 'missing' | 'later'> {
    const all = new Map<string, DeviceBundleJson>();
    for (const account of accounts) {
      const { fetched, bundles } = await this.fetchBundles(account);
      // A server that does not know this account says nothing of whom the message is for.
      if (fetched === 'missing' && account !== this.#context.local.address.account) return 'missing';
      if (fetched !== 'newer' && fetched !== 'same') return 'later';
      for (const [device, bundle] of bundles) all.set(device, bundle);
    }
    return all;
  }

  /** How long the server wants not to be asked for an account's bundles. */
  restMs(account: AccountId): number {
    return this.#bundleAsks.get(account)?.rest.leftMs() ?? 0;
  }

  #bundleAsk(account: AccountId): BundleAsk {
    const nowMs = this.#context.clock.now();
    const last = this.#bundleAsks.get(account);
    if (last && Math.abs(nowMs - last.askedMs) < limits.idempotencyKeyMs) return last;
    const key = Buffer.from(this.#context.randomBytes(16)).toString('base64url');
    return { key, askedMs: nowMs, rest: new Rest(this.#context.clock) };
  }

  #listed(account: AccountId, found: AccountBundlesJson): Bundles {
    const usable = this.recipients(account).flatMap(({ device, registrationId }) => {
      const bundle = found.devices.find((one) => one.device === device && one.registrationId === registrationId);
      return bundle ? [[addressKey({ account, device }), bundle] as const] : [];
    });
    return new Map(usable);
  }

  /** The version of the list that is kept; 0 where there is none. */
  #version(account: AccountId): number {
    return this.list(account)?.list.version ?? 0;
  }

  /**
   * Keeps what the server gave, if it is good; `known` is the version that was kept when it was asked. Where it cannot be
   * kept, it is as if the server had not answered.
   */
  #take(account: AccountId, encoded: string, known: number): Fetched {
    if (this.#stopped) return 'unreachable';
    try {
      return this.#verify(account, encoded, known);
    } catch (error) {
      tellFull(this.#context, error);
      return 'unreachable';
    }
  }

  #verify(account: AccountId, encoded: string, known: number): Fetched {
    const { store, crypto, events, local, clock } = this.#context;
    const signed = unlessMalformed(() => decodeSignedDeviceList(Buffer.from(encoded, 'base64url')));
    const kept = this.list(account);
    const check = signed
      ? checkList(kept, signed, account, (key, message, signature) => crypto.verifyIdentity(key, message, signature))
      : ({ type: 'refused', what: 'unreadable' } as const);
    switch (check.type) {
      case 'same':
        return 'same';
      case 'older':
        // Answers overtake each other: this one was the newest when it was asked for.
        if (check.version >= known) return 'same';
        this.#alert({ account, what: 'device list refused: an older list' });
        return 'refused';
      case 'refused':
        this.#alert({ account, what: `device list refused: ${check.what}` });
        return 'refused';
      case 'newer': {
        if (signed === undefined) return 'refused';
        const next = { signed, list: check.list };
        const splits = store.transaction(() => {
          store.lists.put(next);
          if (kept && check.identityChanged && account !== local.address.account) {
            const former = { key: kept.list.identityKey, version: kept.list.version };
            store.trust.changed(account, former, clock.now());
          }
          return settleListClaim(store, account, next);
        });
        this.#kept.set(account, next);
        if (splits) this.#alert({ account, what: splitList });
        if (check.identityChanged) {
          this.#note({ account, what: 'identity changed' });
          events.emit({ type: 'identityChanged', account });
        }
        const before = new Set(kept?.list.devices.map(({ device }) => device));
        for (const { device } of kept ? check.list.devices : []) {
          if (before.has(device)) continue;
          this.#note({ account, device, what: 'device added' });
          events.emit({ type: 'deviceAdded', account, device });
        }
        this.#onNewer(account);
        return 'newer';
      }
    }
  }

  #alert(alarm: Pick<Alarm, 'account' | 'what'>): void {
    this.#note(alarm);
    this.#context.events.emit({ type: 'securityAlert', ...alarm });
  }

  /** What an event tells is in the history too. */
  #note(alarm: Alarm): void {
    const { store, clock, bus } = this.#context;
    const conversation = store.transaction(() => noteAlarm(store, alarm, clock.now()));
    if (conversation !== undefined) bus.tell({ conversations: new Set([conversation]), inbox: false });
  }
}
