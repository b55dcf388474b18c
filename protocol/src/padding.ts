/** Padding classes: 160-byte steps up to 1 KiB, then powers of 2^(1/4), rounded up. */
const STEP_BYTES = 160;
const STEPS_END_BYTES = 1_024;

/** The smallest class that holds `length` bytes. A class is its own. */
export function paddedLength(length: number): number {
  const step = Math.ceil(Math.max(length, 1) / STEP_BYTES) * STEP_BYTES;
  if (step <= STEPS_END_BYTES) return step;
  let quarters = 40;
  while (quarterPower(quarters) < length) quarters += 1;
  return quarterPower(quarters);
}

function quarterPower(quarters: number): number {
  return Math.ceil(2 ** (quarters / 4));
}

/** The tag of a frame's field 15, and its length in three bytes whatever the length is. */
const PREFIX_BYTES = 4;

/** How many bytes of padding bring a frame of `length` bytes to its class, beside the four that announce them. */
export function paddingFor(length: number): number {
  return paddedLength(length + PREFIX_BYTES) - length - PREFIX_BYTES;
}

/**
 * The last field of a frame that has `length` bytes without it. Its length prefix always takes three bytes: with the
 * shortest prefix no padding of some lengths could be written, and such a frame would show by its class.
 */
export function paddingField(length: number): Uint8Array {
  const padding = paddingFor(length);
  const field = new Uint8Array(PREFIX_BYTES + padding);
  field.set([0x7a, 0x80 | (padding & 0x7f), 0x80 | ((padding >> 7) & 0x7f), padding >> 14]);
  return field;
}
