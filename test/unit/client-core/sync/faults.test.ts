import { ProtocolError } from '@waxwing/protocol';
import { expect, test } from 'vitest';
import { ChangeBus } from '../../../../client-core/src/bus.ts';
import { StoreFullError } from '../../../../client-core/src/errors.ts';
import { EventHub } from '../../../../client-core/src/events.ts';
import { tellFull } from '../../../../client-core/src/sync/told.ts';
import { unlessMalformed } from '../../../../client-core/src/sync/unless-malformed.ts';
import type { SyncContext } from '../../../../client-core/src/sync/context.ts';

test('bytes that the contract refuses are no value; a bug in the reader is not hidden', () => {
  expect(unlessMalformed(() => 7)).toBe(7);
  const refused = unlessMalformed((): number => {
    throw new ProtocolError('malformed', 'bytes');
  });
  expect(refused).toBeUndefined();
  const broken = (): number => {
    throw new RangeError('a bug');
  };
  expect(() => unlessMalformed(broken)).toThrow(RangeError);
});

test('a full disk is told; a bug is not hidden', async () => {
  const events = new EventHub();
  const listening = events.listen();
  const context = { events } as unknown as SyncContext;
  tellFull(context, new StoreFullError());
  expect((await listening.next()).value).toEqual({ type: 'storeFull' });
  expect(() => tellFull(context, new RangeError('a bug'))).toThrow(RangeError);
});

test('a change of nothing is told to nobody; who ended listening hears no more', () => {
  const bus = new ChangeBus();
  const heard: number[] = [];
  const end = bus.subscribe(({ conversations }) => heard.push(conversations.size));
  bus.tell({ conversations: new Set(), inbox: false });
  bus.tell({ conversations: new Set([1]), inbox: false });
  end();
  bus.tell({ conversations: new Set([1, 2]), inbox: false });
  expect(heard).toEqual([1]);
});
