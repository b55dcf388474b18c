/**
 * A copy whose byte arrays have no more memory behind them than their own: posting a view to another thread copies all
 * the memory that it is a view of. What needs no copy stays as it is.
 */
export function tight<T>(value: T): T {
  return tighten(value) as T;
}

function tighten(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) {
    return value.byteLength === value.buffer.byteLength ? value : Uint8Array.prototype.slice.call(value);
  }
  if (Array.isArray(value)) return value.map(tighten);
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) copy[key] = tighten(part);
  return copy;
}
