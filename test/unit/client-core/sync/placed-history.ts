import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { frameKinds, parseAccountId, parseDeviceId, parseMessageId, sha256 } from '@waxwing/protocol';
import { openStore, type Store } from '../../../../client-core/src/history/store.ts';
import { Placing, type Placed } from '../../../../client-core/src/sync/placing.ts';
import type { Met } from '../../../../client-core/src/sync/sequencer.ts';
import { handleOf } from './frames.ts';

export const hashOf = (party: number, n: number, variant = ''): Uint8Array => sha256(`${party}/${n}/${variant}`);

type Put = {
  readonly n: number;
  readonly met: Met;
  readonly party?: number;
  readonly variant?: string;
  readonly own?: boolean;
};

/** A device's file with a conversation in which frames of two devices are put into their places. */
export class PlacedHistory {
  readonly store: Store;
  conversation = 0;
  epoch = 0;
  parties: readonly number[] = [];
  #begun = 0;

  constructor() {
    const path = join(mkdtempSync(join(tmpdir(), 'waxwing-placing-')), 'device.db');
    this.store = openStore(path, new Uint8Array(32).fill(1), { create: true });
    this.begin();
  }

  /** A conversation with nothing in it. */
  begin(): void {
    this.#begun += 1;
    const account = parseAccountId(`00000000-0000-4000-8000-${this.#begun.toString().padStart(12, '0')}`);
    const { store } = this;
    store.transaction(() => {
      this.conversation = store.conversations.ensureDirect(account, 0).id;
      this.epoch = store.conversations.ensureEpoch(this.conversation, 2, handleOf(account)).id;
      this.parties = [1, 2].map((device) => store.parties.ensure({ account, device: parseDeviceId(device) }, 1));
    });
  }

  /** One transaction over a placing. */
  placed<T>(work: (placing: Placing) => T): { result: T; placing: Placing } {
    return this.store.transaction(() => {
      const placing = new Placing(this.store, 1_000);
      const result = work(placing);
      placing.finish();
      return { result, placing };
    });
  }

  put(placing: Placing, o: Put): Placed {
    const party = this.parties[o.party ?? 0] ?? 0;
    const id = (party * 1_000 + o.n).toString(16).padStart(12, '0');
    return placing.place({
      epoch: this.epoch,
      party,
      n: o.n,
      hash: hashOf(party, o.n, o.variant),
      ciphertextHash: sha256(`cipher ${party}/${o.n}`),
      met: o.met,
      message: {
        conversation: this.conversation,
        messageId: parseMessageId(`01890000-0000-7000-8000-${id}`),
        party,
        own: o.own ?? false,
        epoch: this.epoch,
        sequence: o.met.sequence,
        n: o.n,
        kind: frameKinds.content,
        text: `${party}:${o.n}`,
        replyTo: null,
        serverTimeMs: 1_000,
        sentAtMs: 0,
      },
    });
  }

  /** Puts one frame in a transaction of its own. */
  putOne(o: Put): { result: Placed; placing: Placing } {
    return this.placed((placing) => this.put(placing, o));
  }

  /** What is shown, in order. */
  texts(): (string | null)[] {
    const page = this.store.messages.pageBefore(this.conversation, undefined, 1_000);
    return page.reverse().map(({ text }) => text);
  }
}
