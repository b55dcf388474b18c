/**
 * `npm run bench:client [-- MESSAGES RUNS PEERS…]`: how fast a device takes its mailbox in, from the connection to the end of
 * the mailbox, all of it durable, beside bare libsignal that decrypts as many of the same size from serialised records in
 * memory, in turns. The relay is one that costs next to nothing. Prints a line for each number of peers (1 and 50), with
 * medians over the runs (5) in microseconds a message; `ratio` is that of the medians, `ratios` its range.
 */
import { decodeEnvelope } from '@waxwing/protocol';
import { decryptBare, drain, prepareMail, type Took } from './drain.ts';
import { People } from './people.ts';

const [messages = 10_000, runs = 5, ...given] = process.argv.slice(2).map(Number);
/** What a session message adds to a plaintext of this size. */
const OVERHEAD_BYTES = 106;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const perMessage = (took: readonly Took[], of: keyof Took): number =>
  Math.round((median(took.map((one) => one[of])) * 1_000) / messages);
const rounded = (ratio: number): number => Math.round(ratio * 100) / 100;

const people = await People.meet();
for (const peers of given.length > 0 ? given : [1, 50]) {
  const waiting = await prepareMail(people, messages, peers);
  const last = waiting.mail.at(-1);
  const bytes = last ? decodeEnvelope(last.envelope).ciphertext.length : 0;
  const bare: Took[] = [];
  const ours: Took[] = [];
  while (ours.length < runs) {
    bare.push(await decryptBare(messages, peers, bytes - OVERHEAD_BYTES));
    ours.push(await drain(people, waiting));
  }
  const ratios = ours.map(({ wallMs }, run) => (bare[run]?.wallMs ?? Number.NaN) / wallMs);
  process.stdout.write(
    `${JSON.stringify({
      bench: 'drain',
      messages,
      peers,
      ciphertextBytes: bytes,
      runs,
      bareUs: perMessage(bare, 'wallMs'),
      us: perMessage(ours, 'wallMs'),
      cpuUs: perMessage(ours, 'cpuMs'),
      ratio: rounded(perMessage(bare, 'wallMs') / perMessage(ours, 'wallMs')),
      ratios: [Math.min(...ratios), Math.max(...ratios)].map(rounded),
    })}\n`,
  );
}
await people.end();
process.exit(0);
