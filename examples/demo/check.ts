import { basename } from 'node:path';
import type { Device } from './device.ts';
import { filesBelow, find, findText } from './search.ts';
import type { Line } from './texts.ts';

/** One thing that was looked at, and whether it is as promised. */
export type Finding = { readonly what: string; readonly said: string; readonly good: boolean };

/** What the relay has taken, and what has reached the other one. Not so: `queued` and `failed`. */
const SENT = ['sent', 'delivered', 'read'];
const DELIVERED = ['delivered', 'read'];

/** What is asked of a device. */
type Held = Pick<Device, 'account' | 'statuses' | 'history'>;

/** What both devices hold against what was said, in the order in which each person said it. */
export async function checkHistories(alice: Held, bob: Held, said: readonly Line[]): Promise<Finding[]> {
  const histories = [await alice.history(bob.account), await bob.history(alice.account)];
  const statuses = [...alice.statuses.values(), ...bob.statuses.values()];
  const sent = statuses.filter((status) => SENT.includes(status)).length;
  const delivered = statuses.filter((status) => DELIVERED.includes(status)).length;
  let [lost, twice, disordered, holes] = [0, 0, 0, 0];
  for (const history of histories) {
    const texts = history.flatMap((item) => ('hole' in item ? [] : [item.text]));
    holes += history.length - texts.length;
    lost += said.filter(({ text }) => !texts.includes(text)).length;
    twice += texts.length - new Set(texts).size;
    for (const speaker of ['Alice', 'Bob'] as const) {
      const own = said.filter(({ from }) => from === speaker).map(({ text }) => text);
      const held = texts.filter((text) => own.includes(text));
      disordered += held.filter((text, index) => text !== own[index]).length;
    }
  }
  const ids = histories.map((history) => history.flatMap((item) => ('hole' in item ? [] : [item.id])));
  const isSame = JSON.stringify(ids[0]) === JSON.stringify(ids[1]);
  return [
    { what: 'sent', said: `${sent} of ${said.length} messages`, good: sent === said.length },
    { what: 'delivered', said: `${delivered}`, good: delivered === said.length },
    { what: 'lost', said: `${lost}`, good: lost === 0 && holes === 0 },
    { what: 'duplicated', said: `${twice}`, good: twice === 0 },
    { what: 'out of order', said: `${disordered}`, good: disordered === 0 },
    { what: 'both devices', said: isSame ? 'hold the same messages in the same order' : 'differ', good: isSame },
  ];
}

/**
 * No text in any file of the relay, in any form. That the search would find one is shown by what the relay does keep: the
 * account ids.
 */
export function checkFiles(folder: string, alice: Device, said: readonly Line[]): Finding[] {
  const files = filesBelow(folder);
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  const found = said.flatMap(({ text }) => findText(text, files));
  const kept = find(Buffer.from(alice.account.replaceAll('-', ''), 'hex'), files);
  const names = files.map(({ file }) => basename(file)).join(', ');
  const where = `${files.length} files, ${Math.round(bytes / 1_024)} KiB: ${names}`;
  return [
    {
      what: 'plaintext',
      said: `${found.length} of ${said.length} texts found in the relay's files (UTF-8, UTF-16, base64, hex; ${where})`,
      good: found.length === 0,
    },
    {
      what: 'the search',
      said:
        kept.length > 0
          ? 'finds what the relay does keep, as the account ids'
          : 'finds nothing at all, and proves nothing',
      good: kept.length > 0,
    },
  ];
}
