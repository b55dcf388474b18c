import type { Form } from '@waxwing/protocol';
import type { Logger } from 'pino';
import { WebSocket, type RawData } from 'ws';
import type { Channel, ChannelListener } from './channel.ts';

/** A device's WebSocket. There are thousands: what all have alike, they have once. */
export class DeviceSocket extends WebSocket {
  listener: ChannelListener | undefined;
  log: Logger | undefined;

  /** Whoever connects gets the channel, and answers who listens to it. */
  serve(form: Form, log: Logger, connect: (channel: Channel) => ChannelListener): void {
    this.log = log;
    this.listener = connect(new SocketChannel(this, form));
    this.on('message', received);
    this.on('error', failed);
    this.on('close', closed);
  }
}

class SocketChannel implements Channel {
  readonly form: Form;
  readonly #socket: DeviceSocket;
  readonly #onSent = (): void => this.#socket.listener?.drained();

  constructor(socket: DeviceSocket, form: Form) {
    this.#socket = socket;
    this.form = form;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(bytes, this.form === 'binary' ? asBytes : asText, this.#onSent);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

const asBytes = { binary: true };
const asText = { binary: false };

function received(this: WebSocket, data: RawData, isBinary: boolean): void {
  if (this instanceof DeviceSocket) this.listener?.received(bytesOf(data), !isBinary);
}

/** What is wrong with a frame below the batch, ws answers by itself: 1002, 1007, 1008 or 1009, and then `close`. */
function failed(this: WebSocket, error: Error): void {
  if (this instanceof DeviceSocket) this.log?.debug({ err: error }, 'socket error');
}

function closed(this: WebSocket): void {
  if (this instanceof DeviceSocket) this.listener?.closed();
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
