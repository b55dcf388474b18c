import { handleToBytes } from '@waxwing/protocol';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { BareDevice, WaxwingDevice } from './device.ts';
import { bodyOf, FRAME_BYTES, stamp, stampMark, stampOf, writeSubmit, Writer } from './frames.ts';
import { handleOf } from './people.ts';

export const MESSAGE_BYTES = 1_024;

/** Two devices, the one writing to the other messages of 1 KiB that only they could read. */
export type Pair = {
  readonly ready: Promise<unknown>;
  readonly sent: number;
  readonly delivered: number;
  /** How many messages the sender knows to be safe: what is reported sent. */
  readonly answered: number;
  /** Always so many messages in flight; 0 stops. */
  keepInFlight(window: number): void;
  /** One message that was due at this time. */
  send(dueMs: number): void;
  /** Told how long after it was due each message came that `send` has sent. */
  onLatency: (ms: number) => void;
  /** What was refused, if anything was. */
  readonly refused: readonly string[];
  end(): Promise<unknown>;
};

/** Of the baseline: what the receiver gets frees a place in the sender's window at once; no message says so. */
export class BarePair implements Pair {
  readonly ready: Promise<unknown>;
  readonly refused: readonly string[] = [];
  sent = 0;
  onLatency: (ms: number) => void = () => undefined;
  readonly #sender: BareDevice;
  readonly #receiver: BareDevice;
  readonly #message = Buffer.concat([stampMark, Buffer.alloc(MESSAGE_BYTES - stampMark.length, 7)]);
  #window = 0;
  #isOpen = false;

  constructor(url: string, index: number) {
    this.#receiver = new BareDevice(url, 2 * index + 2);
    this.#sender = new BareDevice(url, 2 * index + 1, `${2 * index + 2}`);
    this.#receiver.onDelivered = (bytes) => {
      if (this.#isOpen) this.onLatency(performance.now() - stampOf(bytes, 0));
      else if (this.#window > 0) this.#send();
    };
    this.ready = Promise.all([this.#receiver.open, this.#sender.open]);
  }

  get delivered(): number {
    return this.#receiver.received;
  }

  get answered(): number {
    return this.delivered;
  }

  keepInFlight(window: number): void {
    this.#window = window;
    for (let count = this.sent - this.delivered; count < window; count += 1) this.#send();
  }

  send(dueMs: number): void {
    this.#isOpen = true;
    const message = Buffer.from(this.#message);
    stamp(message, MESSAGE_BYTES, dueMs);
    this.sent += 1;
    this.#sender.send(message);
  }

  end(): Promise<unknown> {
    this.#receiver.end();
    this.#sender.end();
    return Promise.all([this.#receiver.ended, this.#sender.ended]);
  }

  #send(): void {
    this.sent += 1;
    this.#sender.send(this.#message);
  }
}

/** At the relay: `Accepted` frees a place in the sender's window; the receiver acks what it got. */
export class WaxwingPair implements Pair {
  readonly ready: Promise<unknown>;
  sent = 0;
  onLatency: (ms: number) => void = () => undefined;
  readonly #sender: WaxwingDevice;
  readonly #receiver: WaxwingDevice | undefined;
  readonly #handle: Uint8Array;
  readonly #body: Buffer;
  #window = 0;

  /** `isReceiving` false: the receiver stays away. */
  constructor(url: string, index: number, [from, to]: readonly [TestDevice, TestDevice], isReceiving = true) {
    const ciphertext = Buffer.concat([stampMark, Buffer.alloc(MESSAGE_BYTES - stampMark.length, 7)]);
    this.#handle = handleToBytes(handleOf(`pair ${index}`));
    this.#body = Buffer.from(bodyOf(from, [to], ciphertext));
    this.#sender = new WaxwingDevice(url, 2 * index + 1, from);
    this.#receiver = isReceiving ? new WaxwingDevice(url, 2 * index + 2, to) : undefined;
    this.#sender.onAccepted = (count) => {
      if (this.#window > 0) this.#fill(count);
    };
    this.ready = Promise.all([this.#sender.ready, this.#receiver?.ready]);
  }

  get delivered(): number {
    return this.#receiver?.delivered ?? 0;
  }

  get answered(): number {
    return this.#sender.accepted;
  }

  get refused(): readonly string[] {
    return this.#sender.rejected;
  }

  keepInFlight(window: number): void {
    this.#window = window;
    const free = window - (this.sent - this.answered);
    if (free > 0) this.#fill(free);
  }

  send(dueMs: number): void {
    const receiver = this.#receiver;
    if (receiver) receiver.onDelivered = this.#measure;
    stamp(this.#body, MESSAGE_BYTES, dueMs);
    this.#fill(1);
  }

  end(): Promise<unknown> {
    this.#sender.end();
    this.#receiver?.end();
    return Promise.all([this.#sender.ended, this.#receiver?.ended]);
  }

  readonly #measure = (batch: Buffer, from: number): void => {
    this.onLatency(performance.now() - stampOf(batch, from));
  };

  /** So many messages as one batch. */
  #fill(count: number): void {
    const out = new Writer(count * (this.#body.length + FRAME_BYTES));
    const oldest = this.answered + 1;
    for (let index = 0; index < count; index += 1) {
      this.sent += 1;
      writeSubmit(out, this.#handle, this.sent, oldest, this.#body);
    }
    this.#sender.send(out.written());
  }
}
