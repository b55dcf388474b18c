import { join } from 'node:path';
import { parsed, registerProfile, runCommand, startServe, temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses, type RunningProcess } from '../../test/support/processes.ts';
import { compareHistories, displaced, missing, type HistoryLine } from '../histories.ts';
import { Direction, type DirectionResult, type Relay } from './direction.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { killSchedule, type Victim } from './schedule.ts';

export type KillReport = {
  readonly proof: 'kill';
  readonly ok: boolean;
  readonly seed: number;
  readonly messages: number;
  readonly kills: number;
  readonly killed: Readonly<Record<Victim, number>>;
  /** In both histories together. */
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly holes: number;
  readonly historiesEqual: boolean;
  readonly tail: {
    readonly lines: number;
    readonly lost: number;
    readonly outOfOrder: number;
    readonly redelivered: number;
    readonly unmarkedRepeats: number;
  };
  readonly seconds: number;
};

/**
 * Two profiles, a relay, all real processes. So many messages one way, then as many the other way; in all `kills` times a
 * process is killed with -9, at moments and by choice of the seed.
 */
export async function proveKill(o: {
  readonly messagesEachWay: number;
  readonly kills: number;
  readonly seed: number;
}): Promise<KillReport> {
  const began = performance.now();
  const random = seededRandom(o.seed);
  const { path, remove } = temporaryFolder('kill');
  try {
    const relay = new RelayUnderTest(join(path, 'relay'));
    await relay.start();
    const [alice, bob] = await Promise.all([
      registerProfile(relay.url, join(path, 'alice')),
      registerProfile(relay.url, join(path, 'bob')),
    ]);
    const texts = (name: string) => Array.from({ length: o.messagesEachWay }, (_, index) => `${name} says ${index} ✉`);
    const ways = [
      { name: 'alice', from: alice, to: bob, texts: texts('alice') },
      { name: 'bob', from: bob, to: alice, texts: texts('bob') },
    ];
    const results: DirectionResult[] = [];
    let remaining = o.kills;
    for (const [index, way] of ways.entries()) {
      // A moment may take several processes; each of them counts.
      const target = Math.ceil(remaining / (ways.length - index));
      const kills = killSchedule(o.messagesEachWay, target, random);
      const direction = new Direction({ ...way, from: way.from.profile, kills, relay, random });
      results.push(await direction.run());
      remaining -= target;
    }
    const histories = await Promise.all([historyOf(alice.profile, bob.account), historyOf(bob.profile, alice.account)]);
    return report(o, results, ways, histories, Math.round((performance.now() - began) / 1_000));
  } finally {
    await endProcesses();
    remove();
  }
}

class RelayUnderTest implements Relay {
  readonly #folder: string;
  #server: RunningProcess | undefined;
  #url = '';

  constructor(folder: string) {
    this.#folder = folder;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    const args = ['--data', this.#folder, '--port', port, '--admin-port', 'off', '--log-level', 'error'];
    const { server, url } = await startServe(args);
    this.#server = server;
    this.#url = url;
  }

  async kill(): Promise<void> {
    this.#server?.kill('SIGKILL');
    await this.#server?.exit();
  }
}

async function historyOf(profile: string, peer: string): Promise<HistoryLine[]> {
  const { code, lines, errors } = await runCommand([
    ...['history', '--profile', profile, '--with', peer],
    ...['--limit', '1000000', '--json'],
  ]);
  if (code !== 0) throw new Error(errors);
  return lines.map((line) => {
    const { kind, id, text } = parsed(line);
    return { kind: String(kind), id: String(id), text: String(text) };
  });
}

function report(
  o: { readonly messagesEachWay: number; readonly seed: number },
  results: readonly DirectionResult[],
  ways: readonly { readonly texts: readonly string[] }[],
  histories: readonly (readonly HistoryLine[])[],
  seconds: number,
): KillReport {
  const expected = ways.flatMap(({ texts }) => texts);
  const ids = results.flatMap(({ sent }) => [...sent.values()]);
  const { historiesEqual, ...counts } = compareHistories([expected], ids, histories);
  const tail = tailCounts(results, ways);
  const killed = { relay: 0, sender: 0, receiver: 0 };
  for (const result of results) {
    for (const victim of ['relay', 'sender', 'receiver'] as const) killed[victim] += result.killed[victim];
  }
  const faults = [...Object.values(counts), tail.lost, tail.outOfOrder, tail.unmarkedRepeats];
  return {
    proof: 'kill',
    ok: historiesEqual && faults.every((count) => count === 0),
    seed: o.seed,
    messages: expected.length,
    kills: killed.relay + killed.sender + killed.receiver,
    killed,
    ...counts,
    historiesEqual,
    tail,
    seconds,
  };
}

function tailCounts(results: readonly DirectionResult[], ways: readonly { readonly texts: readonly string[] }[]) {
  const tail = { lines: 0, lost: 0, outOfOrder: 0, redelivered: 0, unmarkedRepeats: 0 };
  for (const [index, result] of results.entries()) {
    const texts = ways[index]?.texts ?? [];
    const firsts: string[] = [];
    const seen = new Set<string>();
    for (const { id, text, redelivered } of result.tail) {
      tail.redelivered += redelivered ? 1 : 0;
      if (!seen.has(id)) firsts.push(text);
      else if (!redelivered) tail.unmarkedRepeats += 1;
      seen.add(id);
    }
    tail.lines += result.tail.length;
    tail.lost += missing(texts, firsts);
    tail.outOfOrder += displaced(texts, firsts);
  }
  return tail;
}
