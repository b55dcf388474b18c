import { connect, createServer, type Server, type Socket } from 'node:net';

/** From the one who dialled to the target, and back. */
export type Direction = 'up' | 'down';
/** How a connection ends: a FIN in both directions, or a reset, which the system may send right behind a FIN. */
export type Cut = 'end' | 'reset';

/** How the link is, from now on, for every connection. Absent: as fast as it goes. */
export type LinkQuality = {
  readonly delayMs?: number;
  /** Added to the delay, at random up to this; the order of bytes stays. */
  readonly jitterMs?: number;
  readonly bytesPerSecond?: number;
  /** Nothing larger is written at once. */
  readonly chunkBytes?: number;
};

/** What the proxy has seen, in all. */
export type ProxyCounts = {
  connections: number;
  refused: number;
  bytes: Record<Direction, number>;
  /** Pieces that had to wait: for a delay, for bandwidth, or behind a stall. */
  delayed: number;
  /** Bytes that came while their direction was stalled. */
  stalled: Record<Direction, number>;
  /** Connections that were cut with a part of a piece written and the rest of it dropped. */
  cutInside: number;
  halfClosed: number;
  reset: number;
};

/** Bytes that wait in one direction of a connection before its source is read no further. */
const HELD_MAX_BYTES = 256 * 1024;

/**
 * A TCP proxy on 127.0.0.1 whose faults are set from outside. A stalled direction holds what comes, ends and resets too, as
 * a network does that drops packets: neither side learns of it. Each connection reaches the target from a loopback address
 * of its own, drawn at random, as a device does that changes networks.
 */
export class TcpProxy {
  readonly counts: ProxyCounts = {
    connections: 0,
    refused: 0,
    bytes: { up: 0, down: 0 },
    delayed: 0,
    stalled: { up: 0, down: 0 },
    cutInside: 0,
    halfClosed: 0,
    reset: 0,
  };
  readonly #links = new Set<Link>();
  readonly #stalled = new Set<Direction>();
  readonly #random: () => number;
  readonly #server: Server;
  #target: number;
  #quality: LinkQuality = {};
  #isRefusing = false;

  private constructor(target: number, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#taken(socket));
  }

  /** Listens on a free port, and connects to this one. */
  static async listen(o: { readonly target: number; readonly random: () => number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(o.target, o.random);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new TypeError('the proxy does not listen');
    return address.port;
  }

  /** Where connections from now on go. */
  retarget(port: number): void {
    this.#target = port;
  }

  setQuality(quality: LinkQuality): void {
    this.#quality = quality;
  }

  stall(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#stalled.add(direction);
  }

  /** What was held goes on. */
  resume(): void {
    this.#stalled.clear();
    for (const link of this.#links) link.wake();
  }

  /** New connections are reset until `accept`; those that are there are left. */
  refuse(): void {
    this.#isRefusing = true;
  }

  accept(): void {
    this.#isRefusing = false;
  }

  /** Cuts every connection that is there now when so many more bytes have gone this way. */
  cutAfter(direction: Direction, bytes: number, cut: Cut): void {
    for (const link of this.#links) link.cutAfter(direction, bytes, cut);
  }

  /** Ends one direction of every connection that is there now. */
  halfClose(direction: Direction): void {
    for (const link of this.#links) link.halfClose(direction);
  }

  reset(): void {
    for (const link of this.#links) link.cut('reset');
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const link of this.#links) link.cut('reset');
    await closed;
  }

  #taken(near: Socket): void {
    if (this.#isRefusing) {
      this.counts.refused += 1;
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    this.counts.connections += 1;
    const part = (): number => 1 + Math.floor(this.#random() * 254);
    const localAddress = process.platform === 'linux' ? { localAddress: `127.${part()}.${part()}.${part()}` } : {};
    const port = this.#target;
    const far = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true, ...localAddress });
    const link = new Link(near, far, {
      counts: this.counts,
      random: this.#random,
      quality: () => this.#quality,
      isStalled: (direction) => this.#stalled.has(direction),
      gone: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

type LinkDeps = {
  readonly counts: ProxyCounts;
  readonly random: () => number;
  readonly quality: () => LinkQuality;
  readonly isStalled: (direction: Direction) => boolean;
  readonly gone: () => void;
};

/** What waits in one direction: bytes that may be written from `dueMs` on, or how the source ended. */
type Held = { readonly bytes: Buffer; readonly dueMs: number } | { readonly end: Cut };

type Way = {
  readonly from: Socket;
  readonly to: Socket;
  readonly held: Held[];
  heldBytes: number;
  dueMs: number;
  isPumping: boolean;
  timer: NodeJS.Timeout | undefined;
  cut: { remaining: number; readonly how: Cut } | undefined;
  /** Nothing more goes this way. */
  isOver: boolean;
};

class Link {
  readonly #deps: LinkDeps;
  readonly #ways: Readonly<Record<Direction, Way>>;

  constructor(near: Socket, far: Socket, deps: LinkDeps) {
    this.#deps = deps;
    this.#ways = { up: newWay(near, far), down: newWay(far, near) };
    for (const direction of ['up', 'down'] as const) {
      const { from } = this.#ways[direction];
      from.on('data', (bytes: Buffer) => this.#came(direction, bytes));
      from.on('end', () => this.#hold(direction, { end: 'end' }));
      from.on('error', () => this.#hold(direction, { end: 'reset' }));
      from.on('close', () => this.#closed());
    }
  }

  wake(): void {
    this.#pump('up');
    this.#pump('down');
  }

  cutAfter(direction: Direction, bytes: number, how: Cut): void {
    this.#ways[direction].cut = { remaining: bytes, how };
  }

  halfClose(direction: Direction): void {
    const way = this.#ways[direction];
    if (way.isOver) return;
    this.#deps.counts.halfClosed += 1;
    this.#finish(way, 'end');
  }

  cut(how: Cut): void {
    for (const { from, timer } of Object.values(this.#ways)) {
      clearTimeout(timer);
      if (how === 'reset') from.resetAndDestroy();
      else from.destroySoon();
    }
    if (how === 'reset') this.#deps.counts.reset += 1;
    for (const way of Object.values(this.#ways)) way.isOver = true;
    this.#deps.gone();
  }

  #came(direction: Direction, bytes: Buffer): void {
    const way = this.#ways[direction];
    const { counts, quality, random, isStalled } = this.#deps;
    const { delayMs = 0, jitterMs = 0 } = quality();
    const delay = delayMs + jitterMs * random();
    way.dueMs = Math.max(way.dueMs, performance.now() + delay);
    if (delay > 0) counts.delayed += 1;
    if (isStalled(direction)) counts.stalled[direction] += bytes.length;
    way.heldBytes += bytes.length;
    if (way.heldBytes > HELD_MAX_BYTES) way.from.pause();
    this.#hold(direction, { bytes, dueMs: way.dueMs });
  }

  #hold(direction: Direction, held: Held): void {
    this.#ways[direction].held.push(held);
    this.#pump(direction);
  }

  #pump(direction: Direction): void {
    const way = this.#ways[direction];
    if (way.isPumping || way.timer !== undefined) return;
    const again = (afterMs: number): void => {
      way.timer = setTimeout(() => {
        way.timer = undefined;
        this.#pump(direction);
      }, afterMs);
    };
    way.isPumping = true;
    try {
      for (let next = way.held[0]; next !== undefined; next = way.held[0]) {
        if (!this.#mayGo(direction)) return;
        if ('end' in next) {
          way.held.shift();
          this.#finish(way, next.end);
          return;
        }
        const early = next.dueMs - performance.now();
        if (early > 0) {
          again(early);
          return;
        }
        way.held.shift();
        const pauseMs = this.#write(direction, way, next);
        if (pauseMs !== undefined) {
          again(pauseMs);
          return;
        }
      }
    } finally {
      way.isPumping = false;
    }
  }

  #mayGo(direction: Direction): boolean {
    return !this.#ways[direction].isOver && !this.#deps.isStalled(direction);
  }

  /** Writes what may go at once. Answers how long to wait before the next, if it must be waited for. */
  #write(direction: Direction, way: Way, { bytes, dueMs }: Extract<Held, { bytes: Buffer }>): number | undefined {
    const { counts, quality } = this.#deps;
    const { bytesPerSecond, chunkBytes = bytes.length } = quality();
    let piece = bytes.subarray(0, chunkBytes);
    const { cut } = way;
    const isCut = cut !== undefined && cut.remaining <= piece.length;
    if (isCut) piece = piece.subarray(0, cut.remaining);
    else if (cut) cut.remaining -= piece.length;
    way.to.write(piece);
    counts.bytes[direction] += piece.length;
    way.heldBytes -= piece.length;
    if (way.heldBytes <= HELD_MAX_BYTES) way.from.resume();
    if (isCut) {
      if (piece.length > 0 && piece.length < bytes.length) counts.cutInside += 1;
      this.cut(cut.how);
      return undefined;
    }
    const rest = bytes.subarray(piece.length);
    if (rest.length > 0) way.held.unshift({ bytes: rest, dueMs });
    if (bytesPerSecond !== undefined) {
      counts.delayed += 1;
      return (piece.length / bytesPerSecond) * 1_000;
    }
    return rest.length > 0 ? 0 : undefined;
  }

  #finish(way: Way, how: Cut): void {
    if (way.isOver) return;
    way.isOver = true;
    if (how === 'reset') way.to.resetAndDestroy();
    else way.to.end();
    this.#closed();
  }

  /** Over when both sockets are: an end or reset that is held back is still to be told. */
  #closed(): void {
    const { up, down } = this.#ways;
    if (up.from.destroyed && down.from.destroyed) {
      for (const { timer } of [up, down]) clearTimeout(timer);
      this.#deps.gone();
    }
  }
}

function newWay(from: Socket, to: Socket): Way {
  return {
    ...{ from, to, held: [], heldBytes: 0, dueMs: 0, isPumping: false },
    ...{ timer: undefined, cut: undefined, isOver: false },
  };
}
