/** Ends of a WebSocket-like connection. Handlers are called in order and never during `dial`. */
export type ChannelHandlers = {
  /** Once, first: messages can be sent. */
  opened(): void;
  /** One binary message. */
  received(bytes: Uint8Array): void;
  /** Once, last, however it ended. `retryAfterMs` is set where the server refused the upgrade and said when to come again. */
  closed(end: { readonly code: number; readonly reason: string; readonly retryAfterMs?: number }): void;
};

/** A connection to a relay, as `dial` answers it. */
export type Channel = {
  /** Queues one binary message; ignored once closed. */
  send(bytes: Uint8Array): void;
  /** Bytes queued and not yet handed to the network. */
  readonly bufferedBytes: number;
  /** Ends the connection; `closed` follows. */
  close(): void;
};

/** Opens a connection to a relay's URL (ws: or wss:) with the subprotocol waxwing.v1. */
export type Dial = (url: string, handlers: ChannelHandlers) => Channel;
