import type { HoleReason } from '../../client-core/src/history/coverage.ts';
import type { Store } from '../../client-core/src/history/store.ts';
import type { SimulatedDevice } from './device.ts';

/** What nobody is asked for: it must not be shown, or is nowhere. */
const closed: ReadonlySet<HoleReason> = new Set(['refused', 'removed']);

/** The holes of all devices whose frames another one still has the bytes of: those that repair is to fill. */
export function fillable(people: readonly SimulatedDevice[]): string[] {
  return people.flatMap((device) =>
    people.flatMap((other) => {
      if (other === device || !device.store || !other.store) return [];
      const found = fillableFrom(device.store, other);
      return found.map((hole) => `${device.name} still lacks ${hole}, which ${other.name} has`);
    }),
  );
}

function fillableFrom(store: Store, other: SimulatedDevice): string[] {
  const theirs = other.store;
  const conversation = store.conversations.byPeer(other.account);
  if (!theirs || !conversation) return [];
  return store.conversations.epochs(conversation.id).flatMap(({ id, handle }) => {
    const epoch = theirs.conversations.epochByHandle(handle);
    if (!epoch) return [];
    const numbered = store.coverage.holes(id).flatMap(({ era, from, to, reason }) => {
      if (closed.has(reason)) return [];
      const rows = theirs.answerable.atNumbers(epoch.id, era, { from, to }, to - from + 1);
      return rows.flatMap(({ sequence: { number }, bytes }) => (bytes ? [`(${era}, ${number}): ${reason}`] : []));
    });
    const chained = store.coverage.chainHoles(id).flatMap(({ party, fromN, toN, reason }) => {
      const address = store.parties.address(party);
      const sender = theirs.parties.newest(address);
      if (closed.has(reason) || sender === undefined) return [];
      const rows = theirs.answerable.ofDevice(epoch.id, sender, { from: fromN, to: toN }, toN - fromN + 1);
      return rows.flatMap(({ n, bytes }) => (bytes ? [`n=${n} of ${address.account}: ${reason}`] : []));
    });
    return [...numbered, ...chained];
  });
}
