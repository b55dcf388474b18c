import { encodeDownBatch } from '@waxwing/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scene, accepted, deliver, ready } from './fake-relay.ts';

test('whatever bytes a relay sends, the link goes on or connects again, and never throws', async () => {
  const real = encodeDownBatch([
    deliver(1),
    accepted(1),
    ready(),
    { type: 'drained' },
    { type: 'go_away', retryAfterMs: 1 },
  ]);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .record({ at: fc.nat(real.length), insert: fc.uint8Array({ maxLength: 8 }), remove: fc.nat(8) })
      .map(({ at, insert, remove }) => Buffer.concat([real.subarray(0, at), insert, real.subarray(at + remove)])),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 5 }), fc.boolean(), async (messages, live) => {
      const scene = new Scene();
      if (live) await scene.makeLive();
      else scene.link.start();
      for (const message of messages) scene.channel.handlers.received(message);
      const { type } = scene.link.state;
      expect(['connecting', 'draining', 'live', 'down']).toContain(type);
      if (type !== 'down') return;
      await scene.passWait();
      await scene.makeReady();
      expect(scene.link.state.type).toBe('draining');
    }),
    { numRuns: 300 },
  );
});
