/** Session messages with other numbers than their sender gave them: the MAC is kept, as one without the keys must. */

type Sent = { readonly kind: string; readonly ciphertext: Uint8Array };

const MAC_BYTES = 8;
const COUNTER = 2;
const INNER_MESSAGE = 4;

/** The message, bare or within a first message, under another counter. */
export function withCounter<S extends Sent>(sent: S, counter: number): S {
  return { ...sent, ciphertext: alter(sent.kind, sent.ciphertext, counter) };
}

function alter(kind: string, message: Uint8Array, counter: number): Uint8Array {
  if (kind === 'session') {
    const end = message.length - MAC_BYTES;
    const head = rewrite(message.subarray(1, end), (number, value) => (number === COUNTER ? counter : value));
    return Buffer.concat([message.subarray(0, 1), head, message.subarray(end)]);
  }
  const fields = rewrite(message.subarray(1), (number, value) =>
    number === INNER_MESSAGE && typeof value !== 'number' ? alter('session', value, counter) : value,
  );
  return Buffer.concat([message.subarray(0, 1), fields]);
}

/** A protobuf message of varints and byte fields with its fields' values replaced. */
function rewrite(
  message: Uint8Array,
  change: (number: number, value: number | Uint8Array) => number | Uint8Array,
): Uint8Array {
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const out: Uint8Array[] = [];
  while (at < message.length) {
    const tag = read();
    const number = read();
    const isBytes = tag % 8 === 2;
    const value = isBytes ? message.subarray(at, (at += number)) : number;
    const next = change(Math.floor(tag / 8), value);
    out.push(varint(tag));
    out.push(...(typeof next === 'number' ? [varint(next)] : [varint(next.length), next]));
  }
  return Buffer.concat(out);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}
