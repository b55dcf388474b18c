import { createRecent } from './recent.ts';

/** How many names are kept. */
const KEPT = 50_000;

/**
 * Reads names of which the same ones come again and again: each is checked once while it is kept, and then one string
 * stands for all that are equal to it, which is cheap to compare, to look up and to hold.
 */
export function createNames<Name extends string>(parse: (text: string) => Name): (text: string) => Name {
  const known = createRecent<Name>(KEPT);
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const name = parse(text);
    known.set(name, name);
    return name;
  };
}
