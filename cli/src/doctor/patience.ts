/** How long one question to a server waits for its answer. */
export const PATIENCE_MS = 10_000;
