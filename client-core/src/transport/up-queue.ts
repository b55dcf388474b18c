import { encodeUpBatch, limits, type Up } from '@waxwing/protocol';

/**
 * What a connection says, written once per event-loop turn in as few batches as the limits allow. A batch's bytes are its
 * messages' one after the other, so each message is encoded once.
 */
export class UpQueue {
  readonly #write: (batch: Uint8Array) => void;
  #messages: Uint8Array[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #maxBytes: number = limits.batchMaxBytes;

  constructor(write: (batch: Uint8Array) => void) {
    this.#write = write;
  }

  /** The relay's own limit, where it is lower than the protocol's. */
  limitTo(maxBytes: number): void {
    this.#maxBytes = Math.min(maxBytes, limits.batchMaxBytes);
  }

  /** False, and nothing is queued, where the message alone is over the limit. */
  push(up: Up): boolean {
    const bytes = encodeUpBatch([up]);
    if (bytes.length > this.#maxBytes) return false;
    this.#messages.push(bytes);
    this.#scheduled ??= setImmediate(() => this.flush());
    return true;
  }

  /** Writes what is queued now. */
  flush(): void {
    const messages = this.#messages;
    this.clear();
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    for (const message of messages) {
      if (batch.length === limits.batchMaxMessages || batchBytes + message.length > this.#maxBytes) {
        this.#write(Buffer.concat(batch));
        batch = [];
        batchBytes = 0;
      }
      batch.push(message);
      batchBytes += message.length;
    }
    if (batch.length > 0) this.#write(Buffer.concat(batch));
  }

  /** Drops what is queued. */
  clear(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#messages = [];
  }
}
