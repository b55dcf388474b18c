import { decodeSubmitBody, encodeSubmitBody, type CiphertextKind, type Submit, type Up } from '@waxwing/protocol';
import { Db } from '../../client-core/src/history/database.ts';
import type { Store } from '../../client-core/src/history/store.ts';
import { say, shown, submitsOf } from '../../test/support/client-talk.ts';
import { createClientWorld, type ClientWorld, type TestClient } from '../../test/support/client-world.ts';
import { createFindings, type RowReport } from './report.ts';

const REPLAYS = 3;
/** Senders that one receiver lives with: fewer than it has one-time keys. */
const PER_WORLD = 5;
/** Long enough for a delivery, and shorter than any receipt or question waits. */
const ARRIVED_MS = 200;
/** Long enough for every receipt, question and answer. */
const QUIET_MS = 15_000;
/** Long enough for the last question that is asked again at leisure. */
const LAST_MS = 600_000;

type Use = 'one-time' | 'last-resort';
type First = { readonly kind: CiphertextKind; readonly ciphertext: Uint8Array };
type Sender = { readonly device: TestClient; readonly first: First; again: number };

/** The part of a submit that is for this account's first device. */
function partFor(to: TestClient, submit: Submit): First | undefined {
  const part = decodeSubmitBody(submit.body)
    .recipients.find(({ account }) => account === to.client.account)
    ?.devices.at(0);
  return part?.ciphertext && { kind: part.kind, ciphertext: part.ciphertext };
}

/** The submit with this for the account in the place of what was meant for it. */
function withPartFor(to: TestClient, up: Up, { kind, ciphertext }: First): Up {
  if (up.type !== 'submit') return up;
  const body = decodeSubmitBody(up.body);
  const recipients = body.recipients.map((recipient) =>
    recipient.account === to.client.account
      ? { ...recipient, devices: recipient.devices.map((device) => ({ ...device, kind, ciphertext })) }
      : recipient,
  );
  return { ...up, body: encodeSubmitBody({ ...body, recipients }) };
}

/**
 * First messages that come again, three times each, through a gateway and to a client on its file: as they came, after the
 * client was opened again, and with their sessions gone. None is read, none makes a session or a row, and no key is touched.
 * Half of them used a one-time key, half the last-resort one.
 */
export async function replayedFirstMessages(o: { readonly messages: number }): Promise<RowReport> {
  const findings = createFindings();
  const seen = { firstMessages: 0, replays: 0, rows: 0, sessions: 0 };
  for (const use of ['one-time', 'last-resort'] as const) {
    for (let done = 0; done < o.messages; done += PER_WORLD) {
      await inWorld({ use, senders: Math.min(PER_WORLD, o.messages - done), seed: done + 1 }, findings, seen);
    }
  }
  const { broken, over } = findings;
  return { row: 'replayed-first-messages', broken, over, figures: { ...o, ...seen } };
}

async function inWorld(
  o: { readonly use: Use; readonly senders: number; readonly seed: number },
  findings: ReturnType<typeof createFindings>,
  seen: { firstMessages: number; replays: number; rows: number; sessions: number },
): Promise<void> {
  const world = await createClientWorld({ seed: o.seed });
  const bob = await world.online();
  const written: string[] = [];
  /** Opens the file again, and notes every entry of the crypto that is written from now on. */
  const reopen = async (): Promise<void> => {
    await world.reopen(bob, (store) => noting(store, written));
    await world.connect(bob);
    await world.run(QUIET_MS);
  };
  await reopen();
  if (o.use === 'last-resort') await takeOneTimeKeys(world, bob);

  const senders: Sender[] = [];
  for (let index = 0; index < o.senders; index += 1) {
    const device = await world.online();
    written.length = 0;
    await world.wait((await say(world, device, bob, 'first')).reached('delivered'));
    const first = submitsOf(device, 1)
      .map((submit) => partFor(bob, submit))
      .at(0);
    if (first?.kind !== 'prekey') throw new Error('no first message');
    const wasLastResort = written.some((entry) => entry.startsWith('used_base_key '));
    findings.insist(wasLastResort === (o.use === 'last-resort'), `a first message used another key than ${o.use}`);
    seen.firstMessages += 1;
    senders.push({ device, first, again: 0 });
    await world.run(QUIET_MS);
  }

  const rowsOf = async ({ device }: Sender): Promise<number> =>
    (await shown(world, bob, device)).filter((line) => !/^[[!]/.test(line)).length;
  const replayAll = async (when: string): Promise<void> => {
    for (const sender of senders) {
      for (let time = 0; time < REPLAYS; time += 1) {
        const [rows, decrypted] = [await rowsOf(sender), seen.replays];
        written.length = 0;
        let carried = 0;
        sender.device.link.up = (up) => {
          if (up.type !== 'submit') return [up];
          carried += 1;
          return [withPartFor(bob, up, sender.first)];
        };
        bob.beforeDecrypt = () => void (seen.replays += 1);
        sender.again += 1;
        await world.wait((await say(world, sender.device, bob, `again ${sender.again}`)).reached('sent'));
        await world.run(ARRIVED_MS);
        sender.device.link.up = (up) => [up];
        bob.beforeDecrypt = () => undefined;
        findings.insist(carried > 0 && seen.replays > decrypted, `${when}: a replay did not come`);
        findings.insist((await rowsOf(sender)) === rows, `${when}: a replay made a row`);
        findings.insist(written.length === 0, `${when}: a replay wrote ${written.join()}`);
        // What was said in its place is asked for and shown; until then the next would be held back.
        await world.run(QUIET_MS);
      }
    }
  };

  await replayAll('before a restart');
  await reopen();
  await replayAll('after a restart');
  for (const { device } of senders) {
    const key = `${device.client.account}.1`;
    findings.insist(bob.store?.crypto.get('session', key) !== undefined, 'an honest session is gone');
    bob.store?.transaction(() => bob.store?.crypto.write([{ kind: 'session', key }]));
  }
  await reopen();
  await replayAll('without its session');

  await world.run(LAST_MS);
  for (const sender of senders) {
    const lines = await shown(world, bob, sender.device);
    const meant = ['first', ...Array.from({ length: sender.again }, (_, index) => `again ${index + 1}`)];
    findings.insist(JSON.stringify(lines) === JSON.stringify(meant), `shown at last: ${lines.join(' | ')}`);
  }
  await world.wait(bob.client.close());
  const file = Db.open(bob.path, bob.key, { create: false });
  const count = (sql: string): number => Number(file.get(sql)?.count);
  const rows = count('SELECT count(*) AS count FROM message');
  const sessions = count("SELECT count(*) AS count FROM crypto WHERE kind = 'session'");
  file.close();
  await world.close();
  const meantRows = senders.reduce((sum, { again }) => sum + 1 + again, 0);
  findings.insist(rows === meantRows, `${rows} rows of messages in the file, ${meantRows} were said`);
  findings.insist(sessions === senders.length, `${sessions} sessions in the file with ${senders.length} senders`);
  seen.rows += rows;
  seen.sessions += sessions;
}

function noting(store: Store, written: string[]): Store {
  const write = store.crypto.write.bind(store.crypto);
  store.crypto.write = (changes) => {
    const all = [...changes];
    written.push(...all.map(({ kind, key }) => `${kind} ${key}`));
    write(all);
  };
  return store;
}

/** Somebody took all of its one-time keys, and it gets no more of them to the keyserver. */
async function takeOneTimeKeys(world: ClientWorld, device: TestClient): Promise<void> {
  device.http = (request, send) =>
    request.method === 'PUT' && request.url.endsWith('/v1/prekeys')
      ? Promise.resolve({ status: 503, headers: {}, body: new Uint8Array(0) })
      : send(request);
  const key = { account: device.client.account, device: device.client.device, addedIn: 1 };
  for (;;) {
    const { oneTimeKeys, oneTimeKyberKeys } = await world.storage.prekeys.count(key);
    if (oneTimeKeys + oneTimeKyberKeys === 0) return;
    await world.storage.prekeys.take(key, { oneTime: true });
  }
}
