import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/cli.ts';
import { TcpProxy } from '../../test/support/tcp-proxy.ts';
import { compareHistories, type Comparison, type HistoryLine } from '../histories.ts';
import { Person } from './person.ts';
import { RelayProcess, type RelayKind } from './relay-process.ts';

/** Messages that each side says in a run. */
const BURST = 8;
/** A run that is not over by then, the reconnecting after it included, is stuck. */
const SETTLE_MS = 180_000;

/** What a world has come to. */
export type WorldResult = Comparison & {
  readonly messages: number;
  readonly failed: number;
  /** Messages that were reported sent and that the other does not have. */
  readonly unkept: number;
  /** Honest devices that were told that they are cloned or displaced. */
  readonly cloned: number;
  /** Messages that an inbox gave out twice without saying so. */
  readonly unmarkedRepeats: number;
};

/** A relay and two people, each a process; a proxy stands between each person and the relay. */
export class World {
  readonly folder: string;
  readonly relay: RelayProcess;
  readonly people: readonly [Person, Person];
  readonly random: () => number;

  private constructor(o: Pick<World, 'folder' | 'relay' | 'people' | 'random'>) {
    this.folder = o.folder;
    this.relay = o.relay;
    this.people = o.people;
    this.random = o.random;
  }

  /** Runs `work` in a world, and ends all of it whatever happens. `store`: the relay's folder, if not one of the world's own. */
  static async within<T>(
    o: {
      readonly random: () => number;
      readonly kind: RelayKind;
      readonly pace?: number;
      readonly deaf?: true;
      readonly store?: string;
    },
    work: (world: World) => Promise<T>,
  ): Promise<T> {
    const { path: folder, remove } = temporaryFolder('faults');
    const proxies: TcpProxy[] = [];
    const ends: (() => Promise<unknown>)[] = [];
    try {
      for (let each = 0; each < 2; each++) proxies.push(await TcpProxy.listen({ target: 0, random: o.random }));
      const origins = proxies.map(({ port }) => `http://127.0.0.1:${port}`);
      const relay = new RelayProcess(o.store ?? join(folder, 'relay'), origins, (port) => {
        for (const proxy of proxies) proxy.retarget(port);
      });
      await relay.start(o.kind);
      ends.push(() => relay.kill());
      const people = await Promise.all(
        proxies.map(async (proxy, index) => {
          const person = await Person.start({
            ...{ name: index === 0 ? 'alice' : 'bob', folder, proxy, pace: o.pace ?? 1 },
            ...(o.deaf && { deaf: o.deaf }),
          });
          ends.push(async () => {
            person.process.kill('SIGKILL');
            await person.process.exit();
          });
          return person;
        }),
      );
      const [alice, bob] = people;
      if (!alice || !bob) throw new Error('two people make a world');
      const world = new World({ folder, relay, people: [alice, bob], random: o.random });
      world.talk();
      await world.settle();
      return await work(world);
    } finally {
      await Promise.all(ends.map((end) => end().catch(() => undefined)));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      remove();
    }
  }

  /** A whole number from 0 up to and without `below`. */
  below(below: number): number {
    return Math.floor(this.random() * below);
  }

  /** A moment of up to so many milliseconds, by the seed. */
  moment(maxMs: number): Promise<void> {
    return pause(this.below(maxMs));
  }

  /** One of the two, and the other. */
  parted(): { readonly speaker: Person; readonly listener: Person } {
    const [alice, bob] = this.people;
    return this.below(2) === 0 ? { speaker: alice, listener: bob } : { speaker: bob, listener: alice };
  }

  /** Both say a few things, over a fifth of a second or so. */
  talk(): void {
    const [alice, bob] = this.people;
    alice.say(bob, BURST, this.below(50));
    bob.say(alice, BURST, this.below(50));
  }

  /** Resolves when everything said is reported sent and has come. Rejects when it does not. */
  async settle(timeoutMs = SETTLE_MS): Promise<void> {
    const [alice, bob] = this.people;
    const has = (from: Person, to: Person) => (): boolean =>
      from.said.every((text) => to.received.has(text)) && from.sent.size + from.failed.length >= from.said.length;
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const isSo = has(from, to);
      const came =
        (await from.until(() => from.sent.size + from.failed.length >= from.said.length, timeoutMs)) &&
        (await to.until(isSo, timeoutMs));
      if (!came) {
        const { ended, errors } = this.relay.process;
        const relay = ended ? `; the relay has ended: ${JSON.stringify(ended)} ${errors.slice(-500)}` : '';
        throw new Error(`${from.name} (${from.state}) to ${to.name} (${to.state}) does not settle${relay}`);
      }
    }
  }

  async result(): Promise<WorldResult> {
    const [alice, bob] = this.people;
    const histories = await Promise.all([alice.history(bob), bob.history(alice)]);
    const ids = this.people.flatMap(({ sent }) => [...sent.values()]);
    const said = this.people.map((person) => person.said);
    const sum = (count: (person: Person) => number) => count(alice) + count(bob);
    return {
      messages: said.flat().length,
      ...compareHistories(said, ids, histories),
      unkept: sum((person) => notHeld(person, histories[person === alice ? 1 : 0])),
      failed: sum(({ failed }) => failed.length),
      cloned: sum(({ states }) => states.filter((state) => state === 'cloned' || state === 'displaced').length),
      unmarkedRepeats: sum((person) => person.unmarkedRepeats),
    };
  }
}

function notHeld({ sent }: Person, history: readonly HistoryLine[]): number {
  const held = new Set(history.filter(({ kind }) => kind === 'message').map(({ id }) => id));
  return [...sent.values()].filter((id) => !held.has(id)).length;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
