/** The value with every byte string as `hex:…`: what two values are compared by, whether their bytes are a Buffer or not. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return value;
}

/** The other way: `hex:…` becomes bytes again. */
export function fromPlain(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('hex:')) return Uint8Array.from(Buffer.from(value.slice(4), 'hex'));
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromPlain(inner)]));
  }
  return value;
}
