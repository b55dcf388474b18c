import { limits, type Authenticate, type Down, type ErrorCode, type Runtime, type Up } from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey, type OpenMailbox, type Storage } from '@waxwing/storage';
import { createDelivery, type Delivery, type DeliveryHost } from './delivery.ts';
import { createDispatch, type Dispatch } from './dispatch.ts';
import type { Metrics } from './metrics.ts';
import type { Outgoing } from './outgoing.ts';
import type { DeviceRates } from './rate-limit.ts';

/** What all sessions of a gateway share. */
export type SessionDeps = {
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly metrics: Metrics;
  readonly rates: DeviceRates;
};

/** The connection that a session is on. */
export type SessionHost = {
  readonly outgoing: Outgoing;
  /** Closes with what the error table says of this code. */
  closeFor(code: ErrorCode): void;
  /** The mailbox has been drained. */
  onLive(): void;
  onStoreFault(error: unknown): void;
};

/** Who it is, and what was found when it came. */
export type Admitted = { readonly device: DeviceKey; readonly opened: OpenMailbox; readonly prekeysLow: boolean };

/** Prekeys are counted at every so manieth heartbeat. */
const HEARTBEATS_PER_COUNT = 4;

/** A device that has authenticated: its mailbox is brought to it, and what it asks is answered. */
export class Session implements DeliveryHost {
  readonly device: DeviceKey;
  readonly #deps: SessionDeps;
  readonly #host: SessionHost;
  readonly #delivery: Delivery;
  /** Made for the first request: most devices ask nothing for most of the time. */
  #dispatch: Dispatch | undefined;
  #ticks = 0;
  #hasLookedInTick = false;
  #werePrekeysLow: boolean;
  #isInspecting = false;

  constructor(deps: SessionDeps, host: SessionHost, { device, opened, prekeysLow }: Admitted) {
    this.device = device;
    this.#deps = deps;
    this.#host = host;
    this.#werePrekeysLow = prekeysLow;
    this.#delivery = createDelivery(this, opened);
  }

  get mailboxes(): Storage['mailboxes'] {
    return this.#deps.storage.mailboxes;
  }

  get timers(): Runtime['timers'] {
    return this.#deps.runtime.timers;
  }

  /** Begins to bring the mailbox. */
  begin(): void {
    this.#delivery.look();
  }

  handle(up: Exclude<Up, Authenticate>): void {
    switch (up.type) {
      case 'ack':
        this.#delivery.committed(up.committed);
        return;
      case 'heartbeat':
        if (up.committed) this.#delivery.committed(up.committed);
        this.#look();
        return;
      default:
        this.#dispatch ??= this.#createDispatch();
        this.#dispatch.handle(up);
    }
  }

  /** Called every half heartbeat. */
  tick(): void {
    this.#hasLookedInTick = false;
    this.#ticks += 1;
    if (this.#ticks % 2 > 0) return;
    this.send({ type: 'heartbeat' });
    this.#look();
    if (this.#isInspecting) return;
    this.#isInspecting = true;
    void this.#inspect(this.#ticks % (2 * HEARTBEATS_PER_COUNT) === 0);
  }

  /** The channel is flowing again. */
  resume(): void {
    this.#delivery.resume();
  }

  /** Takes no more submits; resolves when everything that was asked has been answered. */
  async finish(): Promise<void> {
    this.#dispatch?.refuseSubmits();
    await this.#dispatch?.idle();
  }

  stop(): void {
    this.#delivery.stop();
  }

  send(down: Down): void {
    this.#host.outgoing.push(down);
  }

  channelRoom(): number {
    return this.#host.outgoing.room();
  }

  onDelivered(entries: number, bytes: number): void {
    this.#deps.metrics.delivered(entries, bytes);
  }

  onDrained(): void {
    this.#host.onLive();
  }

  onStoreFault(error: unknown): void {
    this.#host.onStoreFault(error);
  }

  /** Once in a tick at most, however often the device says that it is there. */
  #look(): void {
    if (!this.#hasLookedInTick) this.#delivery.look();
    this.#hasLookedInTick = true;
  }

  #createDispatch(): Dispatch {
    const { storage, rates, runtime, metrics } = this.#deps;
    return createDispatch({
      device: this.device,
      mailboxes: storage.mailboxes,
      rates,
      clock: runtime.clock,
      metrics,
      reply: (down) => this.send(down),
      onFault: () => {
        if (rates.errors.take(deviceKeyText(this.device)) > 0) this.#host.closeFor('rate_limited');
      },
      onStoreFault: (error) => this.onStoreFault(error),
    });
  }

  /** What may have changed without anyone telling: the device's place in the list, and its prekeys. */
  async #inspect(isCounting: boolean): Promise<void> {
    const { directory, mailboxes, prekeys } = this.#deps.storage;
    const { device } = this;
    try {
      const stored = await directory.deviceList(device.account);
      const listed = stored?.list.devices.find((other) => other.device === device.device);
      if (listed?.addedIn !== device.addedIn) {
        await mailboxes.drop(device);
        this.#host.closeFor('device_removed');
      } else if (isCounting) {
        const isLow = await arePrekeysLow(prekeys, device);
        if (isLow && !this.#werePrekeysLow) this.send({ type: 'prekeys_low' });
        this.#werePrekeysLow = isLow;
      }
    } catch (error) {
      this.onStoreFault(error);
    } finally {
      this.#isInspecting = false;
    }
  }
}

export async function arePrekeysLow(prekeys: Storage['prekeys'], device: DeviceKey): Promise<boolean> {
  const { oneTimeKeys, oneTimeKyberKeys } = await prekeys.count(device);
  return Math.min(oneTimeKeys, oneTimeKyberKeys) < limits.prekeysLowBelow;
}
