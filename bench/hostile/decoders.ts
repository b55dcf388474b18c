import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { errors, ProtocolError, readClaims, signToken, tokenIssuer, type TokenClaims } from '@waxwing/protocol';
import { codecs } from '../../test/protocol/codecs.ts';
import { plain } from '../../test/protocol/plain.ts';
import { createDice, type Dice } from './dice.ts';
import { watchOwn } from './own-watch.ts';
import { Tally, type RowOptions, type RowReport } from './row.ts';
import { spoilBytes } from './spoil-bytes.ts';
import { spoilProtobuf } from './spoil-protobuf.ts';
import { besiegeWithBatches } from './spoilt-batches.ts';

type Target = {
  readonly name: string;
  readonly good: readonly Uint8Array[];
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly encode: (value: unknown) => Uint8Array;
};

const vectors = new URL('../../test/vectors/v1/', import.meta.url);
const SAMPLES = 60;
/** One case of so many goes over a socket to a server process. */
const PER_BATCH = 200;

/** Every bytes of a vector file, whatever it calls them. */
function frozen(codec: string): Uint8Array[] {
  return readdirSync(vectors).flatMap((file) => {
    const content = JSON.parse(readFileSync(new URL(file, vectors), 'utf8')) as {
      codec?: string;
      vectors?: { bytes: string }[];
    };
    return content.codec === codec ? (content.vectors ?? []).map(({ bytes }) => Buffer.from(bytes, 'hex')) : [];
  });
}

function frozenTokens(): Uint8Array[] {
  const { tokens } = JSON.parse(readFileSync(new URL('token.json', vectors), 'utf8')) as {
    tokens: { token: string }[];
  };
  return tokens.map(({ token }) => Buffer.from(token));
}

function readToken(bytes: Uint8Array): TokenClaims {
  const claims = readClaims(Buffer.from(bytes).toString());
  tokenIssuer(claims);
  return claims;
}

function targets(seed: number): Target[] {
  const coded = codecs.map(({ name, pairs, decode, encodePlain }) => ({
    name,
    good: [...frozen(name), ...fc.sample(pairs, { numRuns: SAMPLES, seed }).map(({ bytes }) => bytes)],
    decode,
    encode: encodePlain,
  }));
  const token: Target = {
    name: 'token',
    good: frozenTokens(),
    decode: readToken,
    encode: (claims) => Buffer.from(signToken(claims as TokenClaims, () => new Uint8Array(64))),
  };
  return [...coded, token];
}

/** Edits of a token's claims, encoded again so that they are read. */
function spoilToken(token: Uint8Array, other: Uint8Array, dice: Dice): Buffer {
  const parts = Buffer.from(token).toString().split('.');
  const at = dice.int(parts.length);
  const spoilt = parts.map((part, index) =>
    index === at ? spoilBytes(Buffer.from(part, 'base64url'), other, dice).toString('base64url') : part,
  );
  return Buffer.from(spoilt.join('.'));
}

function spoil(target: Target, dice: Dice): Uint8Array {
  let bytes: Uint8Array = dice.pick(target.good);
  for (let edits = 1 + dice.int(3); edits > 0; edits -= 1) {
    const other = dice.pick(target.good);
    if (dice.oneIn(3)) bytes = spoilBytes(bytes, other, dice);
    else if (target.name === 'token') bytes = spoilToken(bytes, other, dice);
    else bytes = spoilProtobuf(bytes, dice) ?? spoilBytes(bytes, other, dice);
  }
  return bytes;
}

/** The decoder's answer: a code of the table, or `read` for a value that is written and read again the same. Else throws. */
export function decoderAnswer(target: Pick<Target, 'decode' | 'encode'>, bytes: Uint8Array): string {
  let value: unknown;
  try {
    value = target.decode(bytes);
  } catch (error) {
    if (error instanceof ProtocolError && Object.hasOwn(errors, error.code)) return error.code;
    throw error;
  }
  const again: unknown = target.decode(target.encode(value));
  if (JSON.stringify(plain(again)) !== JSON.stringify(plain(value))) throw new Error('reads back as another value');
  return 'read';
}

/**
 * H2: every decoder of the wire, in the order of their names, and then what a server decodes, on sockets to one. A case is
 * well-formed bytes with one to three edits; it is read soundly or refused with a code, and a good one is read after it.
 */
export async function attackDecoders(options: RowOptions): Promise<RowReport> {
  const { cases, seed } = options;
  const tally = new Tally('H2');
  const dice = createDice(seed);
  const all = targets(seed);
  const batches = Math.ceil(cases / PER_BATCH);
  const watch = watchOwn(tally);
  for (let count = 0; count < cases - batches; count += 1) {
    const target = all[count % all.length];
    if (!target) throw new Error('no decoder');
    const bytes = spoil(target, dice);
    const told = (): string => `${target.name}: ${Buffer.from(bytes).toString('hex').slice(0, 1_500)}`;
    try {
      tally.answered(watch.timed(told, () => decoderAnswer(target, bytes)));
    } catch (error) {
      tally.answered('fault');
      tally.found(`${String(error)}: ${told()}`);
    }
    target.decode(dice.pick(target.good));
    watch.alive();
  }
  const own = await watch.end();
  const siege = await besiegeWithBatches(tally, { ...options, cases: batches }, dice);
  return tally.report({ own, siege });
}
