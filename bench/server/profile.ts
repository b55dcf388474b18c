import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type CallFrame = { readonly functionName: string; readonly url: string };
type Node = { readonly id: number; readonly callFrame: CallFrame; readonly children?: readonly number[] };
type Profile = {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** Where the time goes: the first part whose pattern fits `function url` has it. */
const parts: readonly (readonly [string, RegExp])[] = [
  ['idle', /^\(idle\) /],
  ['garbage', /^\(garbage collector\) /],
  ['metrics', /prom-client|\/relay\/(dist|src)\/metrics\.|histogram/],
  [
    'threads',
    /internal\/worker|worker_io|messaging|event_target|postMessage|receiveMessageOnPort|storage\/(dist|src)\/sqlite\/(caller|tight|thread|serve|calls)\./,
  ],
  ['codec', /@bufbuild|\/protocol\/(dist|src)\/|-codec\./],
  ['store', /storage\/(dist|src)\/sqlite\/|better-sqlite3|storage\/(dist|src)\/(listeners|device-key)/],
  ['checks', /storage\/(dist|src)\/(engine|rules)\/|\/relay\/(dist|src)\/|node:crypto|node:internal\/crypto/],
  [
    'socket',
    /\/ws\/lib|node:(net|internal\/(stream|streams|net))|stream|writev|writeBuffer|writeUtf8|readStart|epoll|node:events|node:buffer|node:internal\/(timers|process)/,
  ],
];

/** Microseconds of each part over a whole profile, and the functions that took most by themselves. */
export type Parts = {
  readonly us: Readonly<Record<string, number>>;
  readonly top: readonly (readonly [string, number])[];
};

/** Every profile of the folder, one per thread, added up. */
export function readProfiles(folder: string): Parts {
  const us: Record<string, number> = {};
  const functions = new Map<string, number>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
    const own = new Map(profile.nodes.map((node) => [node.id, node]));
    const parents = new Map(
      profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
    );
    profile.samples.forEach((id, index) => {
      const node = own.get(id);
      const took = profile.timeDeltas[index] ?? 0;
      if (!node) return;
      const part = partOf(node, parents);
      us[part] = (us[part] ?? 0) + took;
      const { functionName, url } = node.callFrame;
      const name = `${functionName || '(anonymous)'} ${url.replace(/^.*\/(node_modules|dist|src)\//, '')}`;
      functions.set(name, (functions.get(name) ?? 0) + took);
    });
  }
  return { us, top: [...functions].sort(([, a], [, b]) => b - a).slice(0, 60) };
}

/** A native or built-in function belongs to whoever called it, where it says nothing by itself. */
function partOf(node: Node, parents: ReadonlyMap<number, Node>): string {
  for (let at: Node | undefined = node; at; at = parents.get(at.id)) {
    const text = `${at.callFrame.functionName} ${at.callFrame.url}`;
    const part = parts.find(([, pattern]) => pattern.test(text));
    if (part) return part[0];
  }
  return 'other';
}
