import { encodeDownBatch, sameBytes, type Down, type Up } from '@waxwing/protocol';
import type { HttpRequest, HttpResponse } from '@waxwing/client-core';
import type { Random } from '../random.ts';
import { createRenumbering } from './renumbering.ts';

/** A message to a device; one that `isMade` never came from the relay, and gets a position of its own. */
export type Told = { readonly down: Down; readonly isMade?: true };

/** What a lie may use. */
export type LieParts = {
  readonly random: Random;
  /** Whether to lie at this opportunity. */
  readonly dares: () => boolean;
  /** The accounts of the world, by the name of their device. */
  readonly accounts: ReadonlyMap<string, string>;
};

/**
 * One way to lie, over the life of a world. What it does not name passes as it is. `device` is the name of the device
 * that a message is from or for.
 */
export type Lie = {
  /** What the device is told in place of this message. */
  readonly down?: (device: string, message: Down) => readonly Told[];
  /** What the relay gets in place of this message, and what the device is told at once. */
  readonly up?: (device: string, message: Up) => { readonly up: readonly Up[]; readonly down: readonly Down[] };
  readonly http?: (device: string, request: HttpRequest, answer: HttpResponse) => HttpResponse;
};

/** Stands between all devices and an honest server. */
export type Liar = {
  /** While false, everything passes. */
  active: boolean;
  /** How often a device was told something else than the truth, or the relay than what the device said. */
  readonly lies: number;
  down(device: string, messages: readonly Down[]): Down[];
  up(device: string, messages: readonly Up[]): { readonly up: Up[]; readonly down: Down[] };
  http(device: string, request: HttpRequest, answer: HttpResponse): HttpResponse;
};

const CHANCE = 0.35;

export function createLiar(
  makeLie: (parts: LieParts) => Lie,
  o: { readonly random: Random; readonly accounts: ReadonlyMap<string, string> },
): Liar {
  let lies = 0;
  const liar: Liar = {
    active: false,
    get lies() {
      return lies;
    },
    down: (device, messages) =>
      messages.flatMap((message) => {
        const told = liar.active && lie.down ? lie.down(device, message) : [{ down: message }];
        if (
          !isSame(
            told.map(({ down }) => down),
            [message],
          )
        )
          lies += 1;
        return told.map((one) => renumberingOf(device).down(one));
      }),
    up(device, messages) {
      const answers = messages.map((message) => {
        const real = renumberingOf(device).up(message);
        const told = liar.active && lie.up ? lie.up(device, real) : { up: [real], down: [] };
        if (told.down.length > 0 || told.up.length !== 1 || told.up[0] !== real) lies += 1;
        return told;
      });
      return { up: answers.flatMap(({ up }) => up), down: answers.flatMap(({ down }) => down) };
    },
    http(device, request, answer) {
      const told = liar.active && lie.http ? lie.http(device, request, answer) : answer;
      if (told.status !== answer.status || !sameBytes(told.body, answer.body)) lies += 1;
      return told;
    },
  };
  const lie = makeLie({
    random: o.random,
    accounts: o.accounts,
    dares: () => liar.active && o.random.chance(CHANCE),
  });
  const renumberings = new Map<string, ReturnType<typeof createRenumbering>>();
  function renumberingOf(device: string): ReturnType<typeof createRenumbering> {
    const known = renumberings.get(device) ?? createRenumbering();
    renumberings.set(device, known);
    return known;
  }
  return liar;
}

function isSame(told: readonly Down[], real: readonly Down[]): boolean {
  if (told.length === real.length && told.every((message, index) => message === real[index])) return true;
  return sameBytes(encodeDownBatch(told), encodeDownBatch(real));
}
