/** What the history looks like: so many conversations over so long a time, the first of them much larger than the others. */
export const conversations = 100;
export const shareOfLargest = 0.3;
export const firstMs = Date.UTC(2023, 0, 1);
export const spanMs = 3 * 365 * 24 * 60 * 60_000;
