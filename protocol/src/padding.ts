/** Padding classes: 160-byte steps up to 1 KiB, then powers of 2^(1/4), rounded up. */
const STEP_BYTES = 160;
const STEPS_END_BYTES = 1_024;

/** The smallest class that holds `length` bytes. */
export function paddedLength(length: number): number {
  const step = Math.ceil(Math.max(length, 1) / STEP_BYTES) * STEP_BYTES;
  if (step <= STEPS_END_BYTES) return step;
  if (length <= STEPS_END_BYTES) return STEPS_END_BYTES;
  const quarter = Math.ceil(4 * Math.log2(length) - 1e-9);
  return Math.ceil(2 ** (quarter / 4));
}

/**
 * How many bytes of padding bring a message of `length` bytes to a class, where the padding is a length-delimited field
 * with a one-byte tag. A class that the field's own length prefix would straddle is passed over for the next.
 */
export function paddingFor(length: number): number {
  for (let target = paddedLength(length + 2); ; target = paddedLength(target + 1)) {
    for (const prefix of [1, 2, 3]) {
      const padding = target - length - 1 - prefix;
      if (padding >= 1 && varintLength(padding) === prefix) return padding;
    }
  }
}

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
}
