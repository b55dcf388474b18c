import type { Dial } from '@waxwing/client-core';
import type { Down, Up } from '@waxwing/protocol';
import type { Gateway } from '@waxwing/relay';
import { createLink, type Link } from '../kit/src/link.ts';

/** What stands between one client and the gateway: it may change, drop, keep or add what travels. */
export type ClientLink = {
  /** What the relay's messages become; all that passes is also in `downs`. */
  down: (message: Down) => readonly Down[];
  /** What the device's messages become; all that passes is also in `ups`. */
  up: (message: Up) => readonly Up[];
  /** While true, dialling fails. */
  offline: boolean;
  readonly downs: Down[];
  readonly ups: Up[];
  /** How often the device dialled. */
  readonly dials: number;
  /** Ends the connection as a broken network does, or with the relay's close code. What is on its way is lost. */
  readonly cut: Link['cut'];
  /** Says something that the relay did not. */
  say(...messages: Down[]): void;
  readonly dial: Dial;
};

const same = <T>(message: T): readonly T[] => [message];

/** `gateway` is asked at each dial: it may be another one later. `later` holds the world's settling up until it has run. */
export function createClientLink(gateway: () => Gateway, later: (task: () => void) => void): ClientLink {
  let dials = 0;
  const kept = <T>(all: T[], messages: readonly T[]): readonly T[] => {
    all.push(...messages);
    return messages;
  };
  const under = createLink({
    gateway: () => (link.offline ? undefined : gateway()),
    carry: (_way, arrive) => later(arrive),
    later,
    through: {
      up: (message) => kept(link.ups, link.up(message)),
      down: (message) => kept(link.downs, link.down(message)),
    },
  });
  const link: ClientLink = {
    down: same,
    up: same,
    offline: false,
    downs: [],
    ups: [],
    get dials() {
      return dials;
    },
    cut: under.cut,
    say: (...messages) => under.say(messages),
    dial(url, handlers) {
      dials += 1;
      return under.dial(url, handlers);
    },
  };
  return link;
}
