import type { Form } from '@waxwing/protocol';

/** A two-way message channel to one device, as the connection uses it: a WebSocket, or a simulated link. */
export type Channel = {
  /** Which encoding its messages have: bytes, or JSON as text. */
  readonly form: Form;
  /** Queues one message. Nothing is reported back: a lost channel shows as `closed`. Harmless after the end. */
  send(bytes: Uint8Array): void;
  /** What was sent and has not left this process. */
  bufferedBytes(): number;
  /** Begins an orderly end, behind everything sent. Harmless when repeated. */
  close(code: number, reason: string): void;
  /** Ends at once and drops what is buffered. Harmless when repeated. */
  terminate(): void;
};

/** What a channel calls. */
export type ChannelListener = {
  /** One message; `isText` says whether it came as text. */
  received(data: Uint8Array, isText: boolean): void;
  /** Buffered bytes have left: call after each write that went out, whatever is left. */
  drained(): void;
  /** The channel has ended. Called once; nothing is called after it. */
  closed(): void;
};
