import {
  audience,
  closeCodes,
  encodeSubmitBody,
  encodeUpBatch,
  isErrorCode,
  systemRuntime,
  type Up,
} from '@waxwing/protocol';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';
import { authenticateMessage, bodyFor, submitMessage, testHandle } from '../../test/support/relay-device.ts';
import type { Dice } from './dice.ts';
import { dialAs } from './raw-device.ts';
import type { Tally, RowOptions, Siege } from './row.ts';
import { besiege, type Besieged } from './siege.ts';
import { spoilBytes } from './spoil-bytes.ts';
import { spoilProtobuf } from './spoil-protobuf.ts';
import { addressOf } from './websocket.ts';

const LANES = 4;
const DEVICES_MAX = 1_000;
/** Spoilt bodies that one connection sends: fewer than end it for their number. */
const BODIES = 10;
const ANSWERED_WITHIN_MS = 20_000;
const closes = new Set<number>([...Object.values(closeCodes), 1002, 1007, 1008, 1009]);

function spoil(bytes: Uint8Array, dice: Dice): Uint8Array {
  let spoilt = bytes;
  for (let edits = 1 + dice.int(3); edits > 0; edits -= 1) {
    spoilt = (dice.oneIn(3) ? undefined : spoilProtobuf(spoilt, dice)) ?? spoilBytes(spoilt, bytes, dice);
  }
  return spoilt;
}

/** Waits for the answers to so many requests; what the connection ended with, if it did. */
async function answersTo(link: Awaited<ReturnType<typeof dialAs>>, requests: number) {
  const { device } = link;
  const answered = () => device.seen.filter((down) => 'request' in down).length;
  for (const began = performance.now(); answered() < requests && !device.isEnded();) {
    if (performance.now() - began > ANSWERED_WITHIN_MS) throw new Error(`${answered()} answers to ${requests}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await link.heard();
  return device.isEnded() ? device.ended : undefined;
}

/**
 * Spoilt batches, bodies and tokens to a server process. A batch that cannot be read ends its connection with a code of the
 * table; a body that cannot be read is refused, and the connection goes on.
 */
export async function besiegeWithBatches(tally: Tally, options: RowOptions, dice: Dice): Promise<Siege | undefined> {
  const people: TestDevice[] = [];

  const attack = async ({ url }: Besieged): Promise<void> => {
    const forRelay = { claims: { aud: audience('relay', url) } };
    let next = 0;
    const one = async (count: number): Promise<string> => {
      const [mallory, bob] = [people[count % people.length], people[(count + LANES) % people.length]];
      if (!mallory || !bob) throw new Error('nobody');
      const link = await dialAs(url, addressOf(count));
      const { device } = link;
      try {
        const challenge = await device.next('challenge');
        if (dice.oneIn(8)) {
          const token = spoilBytes(
            Buffer.from(authenticateMessage(mallory, challenge, forRelay).token),
            challenge.nonce,
            dice,
          ).toString('latin1');
          device.sendRaw(encodeUpBatch([authenticateMessage(mallory, challenge, { token })]));
          const ended = await Promise.race([device.ended, device.next('ready')]);
          return 'code' in ended ? closeNamed(ended) : 'ready';
        }
        device.say(authenticateMessage(mallory, challenge, forRelay));
        await device.next('ready');
        const submit = (body: Uint8Array, n: number): Up =>
          submitMessage(body, { n, request: n, handle: testHandle(count % 200) });
        const good = encodeSubmitBody(bodyFor([bob], mallory, 'hostile'));
        if (dice.oneIn(2)) {
          const batch = encodeUpBatch([submit(good, 1), { type: 'heartbeat' }, submit(good, 2)]);
          device.sendRaw(spoil(batch, dice));
          // Whatever it was read as, what comes after it is answered, or the connection has ended over it.
          device.say({ type: 'heads', request: 4_000_000, handles: [] });
          const ended = await answersTo(link, 1);
          return ended ? closeNamed(ended) : 'batch: read';
        }
        for (let n = 1; n <= BODIES; n += 1) device.say(submit(spoil(good, dice), 1_000_000 + n));
        const ended = await answersTo(link, BODIES);
        if (ended) return closeNamed(ended);
        const codes: string[] = device.all('rejected').map(({ code }) => code);
        const wrong = codes.find((code) => !isErrorCode(code));
        if (wrong !== undefined) throw new Error(`rejected with ${wrong}`);
        return codes.length > 0 ? `body: ${codes[0] ?? ''}` : 'body: taken';
      } finally {
        device.end();
      }
    };
    const lane = async (): Promise<void> => {
      while (next < options.cases) {
        const count = next;
        next += 1;
        await one(count).then(
          (answer) => tally.answered(`server: ${answer}`),
          (error: unknown) => {
            tally.answered('server: fault');
            tally.found(`batch ${count} of seed ${options.seed}: ${String(error)}`);
          },
        );
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  };

  return besiege(tally, options, {
    attack,
    async prepare(storage) {
      for (let count = Math.min(DEVICES_MAX, 2 * LANES + options.cases); count > 0; count -= 1) {
        const { devices } = await registerAccount({ storage, runtime: systemRuntime }, { oneTimeKeys: 1 });
        people.push(devices[0]);
      }
    },
  });
}

function closeNamed({ code, reason }: { readonly code: number; readonly reason: string }): string {
  if (!closes.has(code)) throw new Error(`closed with ${code} ${reason}`);
  return `closed ${code}`;
}
