import { seededRandom } from '../../test/support/seeded.ts';

/** A word or phrase that stands in so many messages, at random, and anywhere in them unless it says where. */
export type Mark = {
  readonly text: string;
  readonly share: number | { readonly hits: number };
  readonly at?: 'first' | 'last';
};

/**
 * None of them can be a word of the vocabulary. `alpha` and `omega` stand in no message together. Where the words of a
 * phrase also stand alone, one is the first of its text and the other the last.
 */
export const marks = {
  fewWords: { text: 'quince', share: { hits: 10 } },
  someWords: { text: 'walnut', share: 1 / 1_000 },
  manyWords: { text: 'maple', share: 1 / 10 },
  fewPhrases: { text: 'grey heron', share: { hits: 10 } },
  somePhrases: { text: 'white stork', share: 1 / 1_000 },
  manyPhrases: { text: 'black swan', share: 1 / 10 },
  grey: { text: 'grey', share: 1 / 10, at: 'first' },
  heron: { text: 'heron', share: 1 / 10, at: 'last' },
  white: { text: 'white', share: 1 / 20, at: 'first' },
  stork: { text: 'stork', share: 1 / 20, at: 'last' },
  alpha: { text: 'alpha', share: 1 / 4 },
  omega: { text: 'omega', share: 1 / 4 },
  chinese: { text: '我们在北京见面', share: 1 / 1_000 },
} as const satisfies Record<string, Mark>;

export function hitsOf({ share }: Mark, messages: number): number {
  return typeof share === 'number' ? Math.round(messages * share) : share.hits;
}

const CONSONANTS = Array.from('bdfghklmnprstvz');
const VOWELS = Array.from('aeiou');
const SHAPES = ['cv', 'cvc', 'cvcv', 'cvcvc'];
const WORDS = 20_000;

/** Words from the most common one on; the shorter are the more common, as in languages. */
export const vocabulary: readonly string[] = makeVocabulary();

function makeVocabulary(): string[] {
  const random = seededRandom(7);
  const words: string[] = [];
  for (const shape of SHAPES) {
    const letters = Array.from(shape, (kind) => (kind === 'c' ? CONSONANTS : VOWELS));
    const all = letters.reduce<string[]>((made, next) => made.flatMap((word) => next.map((one) => word + one)), ['']);
    words.push(...shuffled(all, random));
  }
  return words.slice(0, WORDS);
}

/** The beginning of so many letters that the most said words have, with a star. */
export function commonPrefix(length: number): string {
  const said = new Map<string, number>();
  for (const [index, word] of vocabulary.entries()) {
    const start = word.slice(0, length);
    if (start.length === length) said.set(start, (said.get(start) ?? 0) + 1 / (index + 1));
  }
  const [most] = [...said].sort(([, a], [, b]) => b - a);
  return `${most?.[0] ?? ''}*`;
}

/** How often each word is said, added up: 1, 1 + 1/2, 1 + 1/2 + 1/3 and so on. */
const weights: readonly number[] = addUp(vocabulary.map((_word, index) => 1 / (index + 1)));

function addUp(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => (sum += value));
}

function sayWord(random: () => number): string {
  const at = random() * (weights.at(-1) ?? 0);
  let [low, high] = [0, weights.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((weights[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return vocabulary[low] ?? '';
}

/** The texts of so many messages, one after the other: 3 to 15 words each, and the marks where they fall. */
export function* makeTexts(messages: number, random: () => number): Generator<string> {
  const placed = placeMarks(messages, random);
  for (let index = 0; index < messages; index += 1) {
    const words = Array.from({ length: 3 + Math.floor(random() * 13) }, () => sayWord(random));
    // Those that have a place come last, around the others.
    for (const { text, at } of placed.get(index) ?? []) {
      words.splice(at === 'first' ? 0 : at === 'last' ? words.length : Math.floor(random() * words.length), 0, text);
    }
    yield words.join(' ');
  }
}

function placeMarks(messages: number, random: () => number): ReadonlyMap<number, readonly Mark[]> {
  const placed = new Map<number, Mark[]>();
  const all: readonly Mark[] = Object.values(marks);
  for (const mark of [...all.filter(({ at }) => !at), ...all.filter(({ at }) => at)]) {
    const step = mark === marks.alpha || mark === marks.omega ? 2 : 1;
    const first = mark === marks.omega ? 1 : 0;
    const chosen = new Set<number>();
    while (chosen.size < hitsOf(mark, messages)) {
      chosen.add(first + step * Math.floor((random() * messages) / step));
    }
    for (const index of chosen) placed.set(index, [...(placed.get(index) ?? []), mark]);
  }
  return placed;
}

/** In an order of chance. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let index = order.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const [one, two] = [order[index], order[other]];
    if (one === undefined || two === undefined) continue;
    order[index] = two;
    order[other] = one;
  }
  return order;
}
