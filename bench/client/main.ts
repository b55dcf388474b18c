/**
 * `npm run bench:client [-- --into N MESSAGES RUNS PEERS…]`: how fast a device takes its mailbox in, from the connection to the end of
 * the mailbox, all of it durable, beside bare libsignal that decrypts as many of the same size from serialised records in
 * memory, in turns; the same into a file that holds N messages already (1,000,000; 0: not); then how fast it sends, a hundred in flight over ten conversations, until the relay has them, beside
 * bare libsignal that encrypts as many. The relay is one that costs next to nothing. Prints a line for each number of peers
 * (1 and 50), one for the large file and one for the sends, with medians over the runs (5) in microseconds a message; `ratio` is that of the
 * medians, `ratios` its range; `cpuRatio` that of the processor time, which says more on a busy machine.
 */
import { parseArgs } from 'node:util';
import { decodeEnvelope } from '@waxwing/protocol';
import { decryptBare, drain, prepareMail } from './drain.ts';
import { People } from './people.ts';
import { encryptBare, prepareSends, send } from './sends.ts';
import type { Took } from './timed.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string', default: '1000000' } },
});
const into = Number(values.into);
const [messages = 10_000, runs = 5, ...given] = positionals.map(Number);
/** What a session message adds to a plaintext of this size. */
const OVERHEAD_BYTES = 106;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const perMessage = (took: readonly Took[], of: keyof Took): number =>
  Math.round((median(took.map((one) => one[of])) * 1_000) / messages);
const rounded = (ratio: number): number => Math.round(ratio * 100) / 100;

/** Both in turns, so that what else the machine does falls on both. */
async function compare(
  about: Readonly<Record<string, string | number>>,
  runBare: () => Promise<Took>,
  runOurs: () => Promise<Took>,
): Promise<void> {
  const bare: Took[] = [];
  const ours: Took[] = [];
  while (ours.length < runs) {
    bare.push(await runBare());
    ours.push(await runOurs());
  }
  const ratios = ours.map(({ wallMs }, run) => (bare[run]?.wallMs ?? Number.NaN) / wallMs);
  process.stdout.write(
    `${JSON.stringify({
      ...about,
      messages,
      runs,
      bareUs: perMessage(bare, 'wallMs'),
      us: perMessage(ours, 'wallMs'),
      bareCpuUs: perMessage(bare, 'cpuMs'),
      cpuUs: perMessage(ours, 'cpuMs'),
      ratio: rounded(perMessage(bare, 'wallMs') / perMessage(ours, 'wallMs')),
      ratios: [Math.min(...ratios), Math.max(...ratios)].map(rounded),
      cpuRatio: rounded(perMessage(bare, 'cpuMs') / perMessage(ours, 'cpuMs')),
    })}\n`,
  );
}

const people = await People.meet();
let ciphertextBytes = 0;

async function compareDrains(peers: number, history: number): Promise<void> {
  const waiting = await prepareMail(people, messages, peers);
  if (history > 0) people.fill(waiting.device, history);
  const last = waiting.mail.at(-1);
  ciphertextBytes = last ? decodeEnvelope(last.envelope).ciphertext.length : 0;
  await compare(
    { bench: 'drain', peers, ...(history > 0 && { into: history }), ciphertextBytes },
    () => decryptBare(messages, peers, ciphertextBytes - OVERHEAD_BYTES),
    () => drain(people, waiting),
  );
}

for (const peers of given.length > 0 ? given : [1, 50]) await compareDrains(peers, 0);
if (into > 0) await compareDrains(1, into);
const writer = await prepareSends(people);
await compare(
  { bench: 'sends', peers: writer.peers.length, ciphertextBytes },
  () => encryptBare(messages, ciphertextBytes - OVERHEAD_BYTES),
  () => send(people, writer, messages),
);
await people.end();
process.exit(0);
