import { parseEra, type Sequence } from '@waxwing/protocol';

/** Names a hole within the file: by its first number, or by the first frame of a device where numbers are unknown. */
export type HoleId =
  | { readonly type: 'numbers'; readonly epoch: number; readonly from: Sequence }
  | { readonly type: 'frames'; readonly epoch: number; readonly party: number; readonly fromN: number };

export function holeIdText(id: HoleId): string {
  return id.type === 'numbers'
    ? `hole:${id.epoch}.${id.from.era}.${id.from.number}`
    : `hole:${id.epoch}.${id.party}.n${id.fromN}`;
}

/** Undefined for a text that is no such id. */
export function parseHoleId(text: string): HoleId | undefined {
  const [, epoch, middle, isN, last] = /^hole:(\d{1,15})\.(\d{1,15})\.(n?)(\d{1,15})$/.exec(text) ?? [];
  if (epoch === undefined) return undefined;
  return isN === 'n'
    ? { type: 'frames', epoch: Number(epoch), party: Number(middle), fromN: Number(last) }
    : { type: 'numbers', epoch: Number(epoch), from: { era: parseEra(Number(middle)), number: Number(last) } };
}
