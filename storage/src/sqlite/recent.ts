/** Keeps the values that were used last, and only so many. */
export type Recent<Value> = {
  get(key: string): Value | undefined;
  has(key: string): boolean;
  set(key: string, value: Value): void;
  delete(key: string): void;
};

export function createRecent<Value>(max: number): Recent<Value> {
  // Two generations: when the young one is full it becomes the old one. A value that is used stays among the young.
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value): void => {
    young.set(key, value);
    if (young.size < max / 2) return;
    old = young;
    young = new Map();
  };
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    has: (key) => young.has(key) || old.has(key),
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}
