import type { AccountId, Watermark } from '@waxwing/protocol';
import type { Store } from '../history/store.ts';
import { further, reachOf } from './reach.ts';
import type { Range } from './ranges.ts';

/** A watermark that the sender of its frames is to be told. `told` notes, within a transaction, that it was. */
export type DueWatermark = {
  readonly account: AccountId;
  readonly watermark: Watermark;
  readonly told: () => void;
};

/** Whether anything may be due; costs no more than there are devices that sent something. */
export function mayBeDue({ receipts, readMarks }: Store): boolean {
  return receipts.unreported().length > 0 || readMarks.untold().length > 0;
}

/** What this device has committed of others' frames, and has not told. */
export function dueDelivered(store: Store): DueWatermark[] {
  return store.receipts.unreported().flatMap(({ epoch, party }) => {
    const head = store.frames.head(epoch, party);
    const told = store.receipts.reported(epoch, party);
    // What was told is held but for its excepted ranges: only these and what is above can have changed.
    const open = [...(told?.except ?? []), { from: (told?.n ?? 0) + 1, to: head }];
    const reach = reachOf(
      head,
      open.flatMap((range) => store.frames.missingN(epoch, party, range)),
    );
    if (told && further(told, reach) === told) return [];
    return due(store, { epoch, party, kind: 'delivered', reach }, () =>
      store.receipts.setReported(epoch, party, reach),
    );
  });
}

/** What was marked read of others' messages, and is not told. What is missing or unread is excepted. */
export function dueRead(store: Store): DueWatermark[] {
  return store.readMarks.untold().flatMap((mark) => {
    const { epoch, party, head, told } = mark;
    // As above: what was read stays so.
    const open = [...told.except, { from: told.n + 1, to: head }];
    const except = open.flatMap((range) => [
      ...store.frames.missingN(epoch, party, range),
      ...store.readMarks.unreadN(epoch, party, range),
    ]);
    const reach = reachOf(head, joined(except));
    if (further(told, reach) === told) return [];
    return due(store, { epoch, party, kind: 'read', reach }, () => store.readMarks.setTold(mark, reach));
  });
}

function due(
  store: Store,
  o: { readonly epoch: number; readonly party: number } & Pick<Watermark, 'kind'> & {
      readonly reach: Pick<Watermark, 'n' | 'except'>;
    },
  told: () => void,
): DueWatermark[] {
  const { account, device } = store.parties.address(o.party);
  const frame = store.frames.frame(o.epoch, o.party, o.reach.n);
  if (frame === undefined) return [];
  const { handle } = store.conversations.epochById(o.epoch);
  const { n, except } = o.reach;
  return [
    { account, watermark: { kind: o.kind, handle, senderDevice: device, n, frameHash: frame.hash, except }, told },
  ];
}

/** Ranges that do not overlap, in their order, those that touch as one. */
function joined(ranges: readonly Range[]): Range[] {
  const all: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && last.to + 1 >= range.from) all[all.length - 1] = { from: last.from, to: range.to };
    else all.push(range);
  }
  return all;
}
