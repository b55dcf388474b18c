import { encodeDownBatch, limits, type Down, type Timers } from '@waxwing/protocol';
import type { Channel } from './channel.ts';

/** Calls back at the end of the event-loop turn. */
export type EndOfTurn = (call: () => void) => void;

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

export type OutgoingDeps = {
  readonly channel: Channel;
  readonly timers: Timers;
  readonly endOfTurn: EndOfTurn;
  /** There is room again, after a flush or after the channel drained. */
  readonly onFlowing: () => void;
  readonly onStuck: () => void;
};

export function createOutgoing({ channel, timers, endOfTurn, onFlowing, onStuck }: OutgoingDeps): Outgoing {
  let queue: { readonly down: Down; readonly bytes: number }[] = [];
  let queuedBytes = 0;
  let isScheduled = false;
  let isStopped = false;
  let stopWatch: (() => void) | undefined;

  const held = (): number => queuedBytes + channel.bufferedBytes();

  const look = (): void => {
    if (isStopped) return;
    const buffered = channel.bufferedBytes();
    if (buffered > limits.socketBufferMaxBytes) {
      onStuck();
      return;
    }
    if (buffered > limits.socketBufferBytes) {
      stopWatch ??= timers.after(limits.stuckSocketMs, onStuck);
      return;
    }
    stopWatch?.();
    stopWatch = undefined;
    onFlowing();
  };

  const write = (): void => {
    const batch: Down[] = [];
    let bytes = 0;
    for (const next of queue) {
      if (batch.length > 0 && (bytes + next.bytes > limits.batchMaxBytes || batch.length === limits.batchMaxMessages)) {
        channel.send(encodeDownBatch(batch.splice(0), channel.form));
        bytes = 0;
      }
      batch.push(next.down);
      bytes += next.bytes;
    }
    queue = [];
    queuedBytes = 0;
    if (batch.length > 0) channel.send(encodeDownBatch(batch, channel.form));
  };

  const endTurn = (): void => {
    isScheduled = false;
    if (isStopped) return;
    write();
    look();
  };

  return {
    push(down) {
      if (isStopped) return;
      const bytes = sizeOf(down);
      queue.push({ down, bytes });
      queuedBytes += bytes;
      if (isScheduled) return;
      isScheduled = true;
      endOfTurn(endTurn);
    },
    flush: write,
    room: () => Math.max(0, limits.socketBufferBytes + 1 - held()),
    drained: look,
    stop() {
      isStopped = true;
      queue = [];
      queuedBytes = 0;
      stopWatch?.();
    },
  };
}

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
