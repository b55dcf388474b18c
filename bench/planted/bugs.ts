import type { LieName } from '../../test/simulation/plan.ts';

/**
 * A defence taken away: one edit of one source file. `test` names the tests that must turn red; else the simulation must, of
 * a server that tells the `lie` if there is one.
 */
export type PlantedBug = {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly test?: { readonly file: string; readonly name: string };
  readonly lie?: LieName;
};

const storage = 'storage/src';
const client = 'client-core/src';

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a known n is committed again',
    file: `${storage}/rules/commit.ts`,
    find: 'if (known) return answer(known);',
    put: "if (known?.type === 'refused') return answer(known);",
  },
  {
    name: 'a mismatch is answered before a known n',
    file: `${storage}/rules/commit.ts`,
    find: 'if (known) return answer(known);',
    put: "const early = checkSequencedSets(submit.sender, submit.recipients, view.newestList);\n  if (early.type !== 'fits') return answer(early);\n  if (known) return answer(known);",
    test: { file: 'test/contract/storage.memory.test.ts', name: '' },
  },
  {
    name: 'of two gateways with one retry and a change of the list between them each commits an attempt',
    file: `${storage}/rules/commit.ts`,
    find: 'if (memory === undefined || submit.n > memory.last) return undefined;\n  const found = memory.results.find(({ n }) => n === submit.n);',
    put: 'if (memory === undefined || submit.n > memory.last) return undefined;\n  const found = memory.results.find(({ n }) => n === submit.n);\n  if (found && found.attempt !== submit.attempt) return undefined;',
    test: { file: 'test/contract/storage.memory.test.ts', name: 'of attempts that race' },
  },
  {
    name: 'an n out of order is committed',
    file: `${storage}/rules/commit.ts`,
    find: "return refuse('out_of_order');",
    put: 'void 0;',
  },
  {
    name: 'the floor is ignored',
    file: `${storage}/rules/era.ts`,
    find: 'const floorAbove = floor !== undefined &&',
    put: 'const floorAbove = floor?.era === -1 &&',
    test: { file: 'test/contract/storage.memory.test.ts', name: '' },
  },
  {
    name: 'an era goes back with the clock',
    file: `${storage}/rules/era.ts`,
    find: 'const era = o.nowMs > known ? o.nowMs : known + 1 + (o.nowMs % SPREAD);',
    put: 'const era = o.nowMs + 0 * known;',
  },
  {
    name: 'two restores begin one era',
    file: `${storage}/rules/era.ts`,
    find: 'known + 1 + (o.nowMs % SPREAD);',
    put: 'known + 1 + 0 * SPREAD;',
    test: {
      file: 'test/contract/storage.memory.test.ts',
      name: 'two stores restored from one backup under a clock that is behind begin different eras',
    },
  },
  {
    name: 'another incarnation counts on in the same era',
    file: `${storage}/rules/era.ts`,
    find: 'counter !== undefined && !floorAbove && counter.incarnation === o.incarnation',
    put: 'counter !== undefined && !floorAbove',
  },
  {
    name: 'the memory of n forgets at once',
    file: `${storage}/rules/commit.ts`,
    find: 'results: [...(memory?.results ?? []), result].slice(-kept)',
    put: 'results: [...(memory?.results ?? []), result].slice(-1 - 0 * kept)',
  },
  {
    name: 'a device that the submit lacks is not missed',
    file: `${storage}/rules/commit.ts`,
    find: "if (sets.type !== 'fits') return answer(sets);",
    put: "if (sets.type !== 'fits' && sets.type !== 'mismatch') return answer(sets);\n  if (sets.type !== 'fits') return answer({ type: 'accepted', duplicate: false, attempt: submit.attempt, sequence: { era: 1 as never, number: 1 }, serverTimeMs: view.nowMs });",
  },
  {
    name: 'a one-time key is handed out twice',
    file: `${storage}/memory/prekeys.ts`,
    find: 'pool.left.delete(id);',
    put: 'void id;',
  },
  {
    name: 'one-time keys outlive the incarnation that published them',
    file: `${storage}/memory/memory-storage.ts`,
    find: 'incarnation: relay.incarnation, limits',
    put: "incarnation: 'one', limits",
  },
  {
    name: 'a restored directory keeps its generations',
    file: `${storage}/memory/memory-storage.ts`,
    find: 'if (o.restored === true) directory.generations.clear();',
    put: '',
  },
  {
    name: 'the relay says accepted before the store does',
    file: 'test/simulation/server.ts',
    find: 'if (mine.dead) return;\n                const called',
    put: "if (mine.dead) return;\n                if (name === 'submit' && random.chance(0.2)) return answer({ type: 'accepted', duplicate: false, attempt: (args[0] as { attempt: number }).attempt, sequence: { era: 1, number: 1 }, serverTimeMs: 1 });\n                const called",
  },
  {
    name: 'sessions are used by two at once',
    file: `${client}/session/mutex.ts`,
    find: 'const turn = this.#last.then(task);',
    put: 'const turn = Promise.resolve().then(task);',
  },
  {
    name: 'the ratchet is committed before what it read',
    file: `${client}/session/unit-of-work.ts`,
    find: 'return this.#store.transaction(() => {\n        this.#store.crypto.write(overlay.changes());\n        return commit();\n      }, durability);',
    put: 'this.#store.transaction(() => this.#store.crypto.write(overlay.changes()), durability);\n      return this.#store.transaction(() => commit(), durability);',
  },
  {
    name: 'the ratchet is not committed with what it read',
    file: `${client}/session/unit-of-work.ts`,
    find: 'this.#store.crypto.write(overlay.changes());\n        return commit();',
    put: 'const done = commit();\n        setImmediate(() => this.#store.transaction(() => this.#store.crypto.write(overlay.changes())));\n        return done;',
  },
  {
    name: 'mail is acked before it is committed',
    file: `${client}/sync/inbound.ts`,
    find: 'const taken = await this.#take(arriving, this.#live',
    put: 'const last = batch.at(-1);\n      if (last) this.#events.committed(last.position);\n      await new Promise((resolve) => this.#context.timers.after(200, () => resolve(undefined)));\n      const taken = await this.#take(arriving, this.#live',
  },
  {
    name: 'a position of another mailbox counts',
    file: `${client}/sync/inbound.ts`,
    find: 'if (position && committed?.incarnation === position.incarnation && position.number <= committed.number) {',
    put: 'if (position && committed && position.number <= committed.number) {',
  },
  {
    name: 'a batch is lost with one envelope of it',
    file: `${client}/sync/inbound.ts`,
    find: "if (result.type === 'failed') return this.#unread(envelope, result.reason);",
    put: "if (result.type === 'failed') throw new Error(result.reason);",
    test: { file: 'test/scenario/client-unreadable.test.ts', name: '' },
  },
  {
    name: 'a repeat is known by its n alone',
    file: `${client}/sync/inbound.ts`,
    find: 'return known !== undefined && known !== null && sameBytes(known, ciphertextHash);',
    put: 'return known !== undefined && known !== null;',
    test: { file: 'test/scenario/client-lying-relay.test.ts', name: '' },
  },
  {
    name: 'an envelope may name another sender, handle or n than its frame',
    file: `${client}/sync/inbound.ts`,
    find: "if (what !== undefined) return { type: 'refuse', envelope, what };",
    put: 'void what;',
    test: { file: 'test/scenario/client-hostile.test.ts', name: '' },
  },
  {
    name: 'a generation is sent before it is durable',
    file: `${client}/history/generations.ts`,
    find: 'this.#store.transaction(() => this.#store.device.addGeneration(token));\n      this.#drawn = token;\n    }\n    return this.#store.device.generations();',
    put: 'this.#drawn = token;\n    }\n    return [...this.#store.device.generations(), this.#drawn];',
  },
  {
    name: 'a submit names itself as the oldest without an outcome',
    file: `${client}/sync/outbox.ts`,
    find: 'const oldest = oldestUnanswered(store.outbox.framedIn(row.epoch), row.n);\n    this.#underway',
    put: 'const oldest = row.n;\n    this.#underway',
  },
  {
    name: 'the window has no end',
    file: `${client}/sync/window.ts`,
    find: 'return Math.max(0, Math.min(inHandle, limits.inAll - unansweredInAll));',
    put: 'return Math.max(64, Math.min(inHandle, limits.inAll - unansweredInAll));',
    test: { file: 'test/property/client-window.test.ts', name: '' },
  },
  {
    name: 'what may have left is forgotten when it is taken back',
    file: `${client}/sync/outbox.ts`,
    find: "if (row?.state === 'framed' && !row.cancelling && isFramed(row)) {",
    put: "if (row?.state === 'framed') {\n        return () => (store.outbox.remove(row.id), { ...row, state: 'queued' });\n      }\n      if (row?.state === 'framed' && !row.cancelling && isFramed(row)) {",
    test: { file: 'test/scenario/client-sending.test.ts', name: '' },
  },
  {
    name: 'a gap holds nothing back',
    file: `${client}/sync/sequencer.ts`,
    find: 'const first = gaps(view)[0];\n  return first &&',
    put: 'const first = gaps(view)[9_999];\n  return first &&',
    test: { file: 'test/scenario/client-gaps.test.ts', name: '' },
  },
  {
    name: 'a gap is never shown',
    file: `${client}/sync/gap-keeper.ts`,
    find: 'if (open.length > 0) placed.give(epoch, open, reason);',
    put: 'void open;',
    test: { file: 'test/scenario/client-gaps.test.ts', name: '' },
  },
  {
    name: 'the earlier of two places always stands',
    file: `${client}/sync/sequencer.ts`,
    find: 'return forgotten ? later : earlier;',
    put: 'return forgotten ? earlier : earlier;',
  },
  {
    name: 'the inbox does not note what it gives',
    file: `${client}/inbox.ts`,
    find: 'if (last > this.#store.consumers.get(this.#name).offered) this.#save(last);',
    put: 'if (last > this.#store.consumers.get(this.#name).offered) this.#save(0);',
    test: { file: 'test/scenario/client-inbox.test.ts', name: '' },
  },
  {
    name: 'a receipt covers what is missing',
    file: `${client}/sync/receipts.ts`,
    find: 'open.flatMap((range) => store.frames.missingN(epoch, party, range)),',
    put: '[],',
    test: { file: 'test/scenario/client-receipts.test.ts', name: '' },
  },
  {
    name: 'prev is not compared',
    file: `${client}/sync/witness.ts`,
    find: 'if (!isNamed(claims.prev, before)) wrong(contradictions.prev);',
    put: 'void before;',
    test: { file: 'test/scenario/client-lying-relay.test.ts', name: '' },
  },
  {
    name: 'seen is not compared',
    file: `${client}/sync/witness.ts`,
    find: "if (judged === 'contradicts') {",
    put: "if (judged === 'contradicts' && epoch < 0) {",
    test: { file: 'test/scenario/client-lying-relay.test.ts', name: '' },
  },
  {
    name: 'repair answers nothing',
    file: `${client}/sync/repair-answerer.ts`,
    find: 'await this.#answer(question);',
    put: 'if (key.length === 0) await this.#answer(question);',
  },
  {
    name: 'a repaired frame need not be what the answer says of it',
    file: `${client}/sync/repair-taker.ts`,
    find: 'const what = misnamed(item, handle, frame);',
    put: 'const what = misnamed(item, handle, frame)?.slice(99) || undefined;',
    test: { file: 'test/scenario/client-repair.test.ts', name: '' },
  },
  {
    name: 'a conversation that begins with what cannot be read does not begin',
    file: `${client}/sync/inbound.ts`,
    find: 'if (current?.handle !== envelope.handle) return undefined;',
    put: 'if (current?.handle !== envelope.handle || store.frames.findParty(envelope.sender, 1) === undefined) return undefined;',
    test: { file: 'test/simulation/liars.test.ts', name: 'repeated one-time key' },
  },
  {
    name: 'a frame may stand before what its sender has seen',
    file: `${client}/sync/witness.ts`,
    find: 'if (compareSequences({ era, number: to }, met.sequence) >= 0) wrong(contradictions.seen);',
    put: 'if (era < 0 && to < 0 && compareSequences) wrong(contradictions.seen);',
    test: { file: 'test/scenario/client-lying-relay.test.ts', name: 'tells two members other eras' },
  },
  {
    name: 'a store that has forgotten goes on numbering a mailbox',
    file: `${storage}/engine/mailbox.ts`,
    find: 'committed?.incarnation === found.incarnation && committed.number > found.last;',
    put: 'committed?.incarnation === found.incarnation && committed.number < 0;',
    test: { file: 'test/contract/storage.memory.test.ts', name: 'a backup put back without a word' },
  },
  {
    name: 'a frame is submitted that a power cut may undo',
    file: `${client}/sync/outbox.ts`,
    find: 'return made.length;\n      };\n    });',
    put: 'return made.length;\n      };\n    }, { synced: false });',
  },
  {
    name: 'mail is acked that a power cut may undo',
    file: `${client}/sync/inbound.ts`,
    find: 'return () => this.#commit(outcomes);\n      });',
    put: 'return () => this.#commit(outcomes);\n      }, { synced: false });',
  },
  {
    name: 'an answer of the keyserver that was overtaken is an alarm',
    file: `${client}/sync/contacts.ts`,
    find: "if (check.version >= known) return 'same';",
    put: "if (check.version > known) return 'same';",
    test: { file: 'test/unit/client-core/sync/contacts.test.ts', name: 'overtaken' },
  },
  {
    name: 'an older list is taken for an answer that was overtaken',
    file: `${client}/sync/contacts.ts`,
    find: "if (check.version >= known) return 'same';",
    put: "if (check.version >= 0 * known) return 'same';",
    test: { file: 'test/unit/client-core/sync/contacts.test.ts', name: 'an older list' },
  },
  {
    name: 'what was accepted twice stands where only one device knows of',
    file: `${client}/sync/repair-check.ts`,
    find: "if (moves && !(claim.isAuthors && isMissing(view, sequence))) return 'leave';",
    put: "if (moves) return 'leave';",
    test: { file: 'test/unit/client-core/sync/repair-check.test.ts', name: 'moves what stands' },
  },
  {
    name: 'frames between the first that was seen and those before it are missing without a word',
    file: `${client}/sync/placing.ts`,
    find: 'for (const lower of this.#lower) this.#chainAbove(lower);',
    put: 'for (const lower of this.#lower.slice(0, 0)) this.#chainAbove(lower);',
    test: {
      file: 'test/unit/client-core/sync/placing.test.ts',
      name: 'the first that was ever seen of the device was',
    },
  },
  {
    name: 'a frame of a later era fills the hole of another',
    file: `${client}/sync/placing.ts`,
    find: "if (known?.stands && !this.#mayHaveStood(frame, known.stands)) return 'repeat';",
    put: "if (known?.stands && !this.#mayHaveStood(frame, known.stands) && n < 0) return 'repeat';",
    test: { file: 'test/unit/client-core/sync/placing.test.ts', name: 'fills no hole of an earlier one' },
  },
  {
    name: 'the signature of a list is not checked',
    file: 'protocol/src/device-list.ts',
    find: "if (!verify(list.identityKey, signedBytes('device-list', signed.bytes), signed.signature)) refuse('signature');",
    put: 'void verify;',
    lie: 'added device',
  },
  {
    name: 'a list under another identity is taken, with its bundles',
    file: `${client}/sync/list-check.ts`,
    find: "if (list.version < kept.list.version) return { type: 'older', version: list.version };",
    put: "if (list.version < kept.list.version) return { type: 'older', version: list.version };\n    if (list.version > 0) return { type: 'newer', list, identityChanged: false };",
    lie: 'added device',
  },
  {
    name: 'a list of another account is taken, with its bundles',
    file: 'protocol/src/device-list.ts',
    find: "if (list.account !== account) refuse('account');",
    put: 'void account;',
    lie: 'wrong account',
  },
  {
    name: 'an era that has not come ends a conversation',
    file: `${client}/sync/outbox.ts`,
    find: "if (code === 'floor_ahead' && floor) {",
    put: "if (code === 'floor_ahead' && floor && row.n < 0) {",
    test: { file: 'test/scenario/client-lying-relay.test.ts', name: 'an era that is yet to come' },
  },
  {
    name: 'a list that is kept back is no alarm',
    file: `${client}/sync/contacts.ts`,
    find: "if (fetched === 'same' && this.#version(account) < claimed) {",
    put: "if (fetched === 'same' && this.#version(account) < -claimed) {",
    test: { file: 'test/unit/client-core/sync/contacts.test.ts', name: 'keeps back' },
  },
  {
    name: 'a relay may have a client wait for as long as it likes',
    file: `${client}/sync/underway.ts`,
    find: 'Math.min(afterMs, limits.retryAfterMaxMs)',
    put: 'Math.max(afterMs, 0 * limits.retryAfterMaxMs)',
    test: { file: 'test/unit/client-core/sync/underway.test.ts', name: 'more than an hour' },
  },
  {
    name: 'what was deleted stays in the logs of SQLite',
    file: `${storage}/sqlite/serve.ts`,
    find: '      emptyLogs(nowMs);\n',
    put: '      void emptyLogs;\n',
    test: { file: 'test/unit/storage/sqlite-files.test.ts', name: 'never closed' },
  },
  {
    name: 'a registration that may have succeeded is forgotten',
    file: `${client}/registration.ts`,
    find: 'if (!error.retryable) store',
    put: "if (!error.retryable || error.code === 'server_fault') store",
    test: { file: 'test/scenario/client-lifecycle.test.ts', name: 'that was done, and answered by' },
  },
  {
    name: 'what cannot be read is kept without bound',
    file: `${client}/history/held.ts`,
    find: 'WHERE count > ? OR bytes > ?',
    put: 'WHERE count > 9 * ? OR bytes > 9 * ?',
    test: { file: 'test/unit/client-core/history/held.test.ts', name: '' },
  },
];
