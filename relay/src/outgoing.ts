import { encodeDownBatch, limits, type Down, type Timers } from '@waxwing/protocol';
import type { Channel } from './channel.ts';
import type { Turn } from './turn.ts';

/**
 * What the relay says to one device: queued, and written once per event-loop turn as one batch (several if it is over
 * `batchMaxBytes`). Watches that the device takes it.
 *
 *   flowing ──buffer over socketBufferBytes──▶ blocked ──back under──▶ flowing
 *   blocked for stuckSocketMs, or a buffer over socketBufferMaxBytes ──▶ stuck (told once)
 */
export type Outgoing = {
  push(down: Down): void;
  /** Writes what is queued, at once. */
  flush(): void;
  /** How many bytes more may be read for this device: 0 while queue and channel hold over `socketBufferBytes`. */
  room(): number;
  /** The channel's buffer has changed. */
  drained(): void;
  /** Drops the queue and the timer. */
  stop(): void;
};

/** Whose messages these are. */
export type OutgoingHost = {
  readonly channel: Channel;
  readonly timers: Timers;
  readonly turn: Turn;
  /** There is room again, after a flush or after the channel drained. */
  onFlowing(): void;
  onStuck(): void;
};

export function createOutgoing(host: OutgoingHost): Outgoing {
  return new ChannelOutgoing(host);
}

/** A class, since every connection has one: it keeps what differs, and nothing that all have alike. */
class ChannelOutgoing implements Outgoing {
  readonly #host: OutgoingHost;
  #queue: Down[] = none;
  #queuedBytes = 0;
  #isStopped = false;
  #stopWatch: (() => void) | undefined;

  constructor(host: OutgoingHost) {
    this.#host = host;
  }

  push(down: Down): void {
    if (this.#isStopped) return;
    if (this.#queue === none) {
      this.#queue = [];
      this.#host.turn.add(this);
    }
    this.#queue.push(down);
    this.#queuedBytes += sizeOf(down);
  }

  room(): number {
    return Math.max(0, limits.socketBufferBytes + 1 - this.#queuedBytes - this.#host.channel.bufferedBytes());
  }

  /** What was queued for this turn may have been flushed before. */
  endTurn(): void {
    if (this.#isStopped) return;
    this.flush();
    this.drained();
  }

  flush(): void {
    const queue = this.#queue;
    this.#queue = none;
    this.#queuedBytes = 0;
    let [from, bytes] = [0, 0];
    queue.forEach((down, index) => {
      const more = sizeOf(down);
      if (index > from && (bytes + more > limits.batchMaxBytes || index - from === limits.batchMaxMessages)) {
        this.#send(queue.slice(from, index));
        [from, bytes] = [index, 0];
      }
      bytes += more;
    });
    if (queue.length > from) this.#send(from === 0 ? queue : queue.slice(from));
  }

  drained(): void {
    if (this.#isStopped) return;
    const { channel, timers } = this.#host;
    const buffered = channel.bufferedBytes();
    if (buffered > limits.socketBufferMaxBytes) {
      this.#host.onStuck();
      return;
    }
    if (buffered > limits.socketBufferBytes) {
      this.#stopWatch ??= timers.after(limits.stuckSocketMs, () => this.#host.onStuck());
      return;
    }
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    this.#host.onFlowing();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = none;
    this.#queuedBytes = 0;
    this.#stopWatch?.();
  }

  #send(batch: readonly Down[]): void {
    const { channel } = this.#host;
    channel.send(encodeDownBatch(batch, channel.form));
  }
}

/** The queue of whoever has nothing to say; never added to. */
const none: Down[] = [];

/** About how long the message is in binary form; for the kinds that can be long, not less. */
function sizeOf(down: Down): number {
  switch (down.type) {
    case 'deliver':
      return down.envelope.length + 48;
    case 'heads_reply':
      return 96 * down.heads.length + 16;
    case 'entries_reply':
      return 48 * down.entries.length + 16;
    case 'marks':
    case 'ready':
      return 32 * down.marks.length + 64;
    case 'rejected':
      return down.mismatches.reduce(
        (sum, { missing, extra, stale }) => sum + 40 + missing.length + extra.length + stale.length,
        64,
      );
    default:
      return 128;
  }
}
