/** The store cannot write now: no room, a failing disk, or a file held by another program. Nothing was stored. */
export class StoreFullError extends Error {
  readonly code = 'store_full';
  constructor(options?: ErrorOptions) {
    super('the store cannot write now', options);
    this.name = 'StoreFullError';
  }
}
