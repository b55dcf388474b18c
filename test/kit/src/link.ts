import type { Dial } from '@waxwing/client-core';
import { decodeDownBatch, decodeUpBatch, encodeDownBatch, encodeUpBatch, type Down, type Up } from '@waxwing/protocol';
import type { ChannelListener, Gateway } from '@waxwing/relay';

/** From the device to the relay, or back. */
export type Way = 'up' | 'down';

export type LinkParts = {
  /** Asked at each dial; undefined where nobody answers. */
  readonly gateway: () => Gateway | undefined;
  /** Brings something over, behind what goes the same way already; or loses it, by never calling. */
  readonly carry: (way: Way, arrive: () => void) => void;
  /** Runs a task in a later turn. */
  readonly later: (task: () => void) => void;
  /** What each message becomes on its way: itself, none, or several. */
  readonly through: { readonly up: (message: Up) => readonly Up[]; readonly down: (message: Down) => readonly Down[] };
};

/** A device's connections to a gateway in the same process, one after another. */
export type Link = {
  readonly dial: Dial;
  /** Ends the connection, as a broken network or with the relay's close code. What is on its way is lost. */
  readonly cut: (code?: number, reason?: string) => void;
  /** Gives the device something that the relay did not say. */
  readonly say: (messages: readonly Down[]) => void;
};

type Open = { readonly cut: Link['cut']; readonly say: Link['say'] };

/**
 * Either end of a connection ends once:
 *
 *   open ─cut, terminate─▶ both ended, what is on its way is lost
 *   open ─close of one end─▶ that end ended; the other when the news arrives, behind what was sent
 */
export function createLink(parts: LinkParts): Link {
  const { carry, later, through } = parts;
  let current: Open | undefined;

  return {
    cut: (code, reason) => current?.cut(code, reason),
    say: (messages) => current?.say(messages),
    dial(_url, handlers) {
      let deviceEnded = false;
      let relayEnded = false;
      const endDevice = (code: number, reason: string): void => {
        if (deviceEnded) return;
        deviceEnded = true;
        later(() => handlers.closed({ code, reason }));
      };
      const endRelay = (): void => {
        if (relayEnded) return;
        relayEnded = true;
        later(() => listener.closed());
      };
      const cut = (code = 1006, reason = 'cut'): void => {
        endDevice(code, reason);
        endRelay();
      };
      const toDevice = (messages: readonly Down[]): void => {
        if (!deviceEnded && messages.length > 0) handlers.received(encodeDownBatch(messages));
      };

      const gateway = parts.gateway();
      if (gateway === undefined) {
        endDevice(1006, 'no route');
        return { send: () => undefined, bufferedBytes: 0, close: () => undefined };
      }
      current = { cut, say: (messages) => carry('down', () => toDevice(messages)) };
      const listener: ChannelListener = gateway.connect({
        form: 'binary',
        send(bytes) {
          carry('down', () => {
            if (!deviceEnded) toDevice(decodeDownBatch(bytes).flatMap(through.down));
          });
        },
        bufferedBytes: () => 0,
        close(code, reason) {
          carry('down', () => endDevice(code, reason));
          endRelay();
        },
        terminate: () => cut(1006, 'terminated'),
      });
      carry('down', () => {
        if (!deviceEnded) handlers.opened();
      });
      return {
        send(bytes) {
          if (deviceEnded) return;
          carry('up', () => {
            if (relayEnded) return;
            const messages = decodeUpBatch(bytes).flatMap(through.up);
            if (messages.length > 0) listener.received(encodeUpBatch(messages), false);
          });
        },
        bufferedBytes: 0,
        close() {
          endDevice(1000, 'closed');
          carry('up', endRelay);
        },
      };
    },
  };
}
