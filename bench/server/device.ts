import { decodeDownBatch, encodeUpBatch, subprotocol } from '@waxwing/protocol';
import { WebSocket, type ClientOptions } from 'ws';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { authenticateMessage } from '../../test/support/relay-device.ts';
import { ackBatch, Down, Reader } from './frames.ts';

/** An ack is due after so many deliveries, or so long, as a client's is that coalesces its acks. */
const ACK_EVERY = 32;
const ACK_AFTER_MS = 100;

/** A mask of zeros spares the generator the masking; the server unmasks all the same. */
const options: ClientOptions = {
  perMessageDeflate: false,
  skipUTF8Validation: true,
  generateMask: (mask) => mask.fill(0),
};

const unacked = new Set<WaxwingDevice>();
setInterval(() => {
  for (const device of unacked) device.ack();
}, ACK_AFTER_MS).unref();

/** Each connection comes from a loopback address of its own: the limit on one address's connections is for others. */
function localAddress(index: number): string {
  return `127.${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

/** A socket of the baseline: what comes is counted. */
export class BareDevice {
  readonly socket: WebSocket;
  readonly open: Promise<void>;
  readonly ended: Promise<void>;
  received = 0;
  /** Called once for each message. */
  onDelivered: (bytes: Buffer) => void = () => undefined;

  constructor(url: string, id: number, to = '') {
    this.socket = new WebSocket(`${url}/${id}${to === '' ? '' : `?${to}`}`, {
      ...options,
      localAddress: localAddress(id),
    });
    this.open = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('message', (data: Buffer) => {
      this.received += 1;
      this.onDelivered(data);
    });
  }

  send(bytes: Buffer): void {
    this.socket.send(bytes);
  }

  end(): void {
    this.socket.terminate();
  }
}

/** A device at the relay that keeps nothing: it acks what it gets and tells who asked. */
export class WaxwingDevice {
  readonly socket: WebSocket;
  readonly ready: Promise<void>;
  readonly drained: Promise<void>;
  readonly ended: Promise<void>;
  delivered = 0;
  /** The highest number of the mailbox that came. */
  position = 0;
  accepted = 0;
  /** The codes of what was refused. */
  readonly rejected: string[] = [];
  /** Called after each batch that answered submits, with how many it accepted. */
  onAccepted: (count: number) => void = () => undefined;
  /** Called once for each delivery: its bytes begin in `batch` at `from`. */
  onDelivered: (batch: Buffer, from: number) => void = () => undefined;
  readonly #as: TestDevice;
  readonly #reader = new Reader();
  #incarnation: Uint8Array = Buffer.alloc(8);
  #toAck = 0;
  #isReady: () => void = () => undefined;
  #isDrained: () => void = () => undefined;

  constructor(url: string, id: number, as: TestDevice) {
    this.#as = as;
    this.socket = new WebSocket(`${url}/v1/relay`, subprotocol, { ...options, localAddress: localAddress(id) });
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.socket.once('error', reject);
      this.socket.once('close', (code: number) => reject(new Error(`closed with ${code}`)));
    });
    this.drained = new Promise((resolve) => (this.#isDrained = resolve));
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.ready.catch(() => undefined);
    this.socket.on('message', (data: Buffer) => this.#received(data));
    this.socket.on('error', () => undefined);
  }

  send(batch: Buffer): void {
    this.socket.send(batch);
  }

  end(): void {
    unacked.delete(this);
    this.socket.terminate();
  }

  /** Acks what came since the last ack. */
  ack(): void {
    unacked.delete(this);
    this.#toAck = 0;
    if (this.socket.readyState === WebSocket.OPEN) this.send(ackBatch(this.#incarnation, this.position));
  }

  #received(data: Buffer): void {
    const reader = this.#reader;
    let [accepted, delivered] = [0, 0];
    reader.read(data);
    while (reader.next()) {
      switch (reader.kind) {
        case Down.deliver:
          delivered += 1;
          this.position = reader.position;
          this.onDelivered(data, reader.from);
          break;
        case Down.accepted:
          accepted += 1;
          break;
        default:
          this.#rare(data, reader.kind);
      }
    }
    if (delivered > 0) {
      this.delivered += delivered;
      this.#toAck += delivered;
      if (this.#toAck >= ACK_EVERY) this.ack();
      else unacked.add(this);
    }
    if (accepted > 0) {
      this.accepted += accepted;
      this.onAccepted(accepted);
    }
  }

  #rare(data: Buffer, kind: number): void {
    switch (kind) {
      case Down.heartbeat:
        this.socket.send(encodeUpBatch([{ type: 'heartbeat' }]));
        return;
      case Down.drained:
        this.#isDrained();
        return;
      case Down.challenge:
      case Down.ready:
      case Down.rejected:
        for (const down of decodeDownBatch(data)) {
          if (down.type === 'challenge') this.socket.send(encodeUpBatch([authenticateMessage(this.#as, down)]));
          if (down.type === 'rejected') this.rejected.push(down.code);
          if (down.type !== 'ready') continue;
          this.#incarnation = Buffer.from(down.incarnation, 'base64url');
          this.#isReady();
        }
    }
  }
}
