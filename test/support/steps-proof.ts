import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, generateStoreKey, type Client } from '@waxwing/client-core';
import { systemRuntime } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import { startTestServer } from './in-process-server.ts';
import { stepNames, type StepOrder, type StepReport } from './step-client.ts';

export type StepsResult = {
  readonly kills: Readonly<Record<string, number>>;
  readonly runs: number;
  readonly messages: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly cloned: number;
};

/** Messages that each side adds in each run. */
const BURST = 3;
/** Runs between two in which the client comes to its end. */
const CLEAN_EVERY = 10;
const CHILD_MS = 60_000;
/** What has not come to the steady peer by then is lost. */
const STEADY_MS = 60_000;
const FROM_SOURCE = ['--conditions=waxwing-source', '--import', 'tsx'];

/**
 * Kills a client with -9 at each step, `killsPerStep` times each, while it and a steady peer send to each other; then
 * compares both histories. A run that comes to its end before its failpoint counts as no kill and is made again.
 */
export async function proveSteps(
  killsPerStep: number,
  random: () => number,
  execArgv: readonly string[] = FROM_SOURCE,
  kind: Pick<StepOrder, 'late'> = {},
): Promise<StepsResult> {
  const child = (order: StepOrder) => runChild(order, execArgv);
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-steps-'));
  const storage = createMemoryStorage({ runtime: systemRuntime });
  const server = await startTestServer(storage);
  const steady = await createClient({
    server: server.url,
    store: { path: join(folder, 'steady.db'), key: generateStoreKey() },
  });
  try {
    await steady.connect();
    const keyFile = join(folder, 'killed.key');
    writeFileSync(keyFile, generateStoreKey(), { mode: 0o600 });
    const base = { ...kind, server: server.url, path: join(folder, 'killed.db'), keyFile };
    const created = await child({ ...base, step: null, occurrence: 0, peer: null, texts: [], expect: '' });
    if (created === 'killed') throw new Error('the client was not created');
    return await killAtEachStep(steady, created.account, base, killsPerStep, random, child);
  } finally {
    await steady.close();
    await server.close();
    await storage.close();
    rmSync(folder, { recursive: true });
  }
}

async function killAtEachStep(
  steady: Client,
  account: string,
  base: Pick<StepOrder, 'server' | 'path' | 'keyFile' | 'late'>,
  killsPerStep: number,
  random: () => number,
  child: (order: StepOrder) => Promise<StepReport | 'killed'>,
): Promise<StepsResult> {
  const conversation = await steady.direct(account);
  const kills: Record<string, number> = Object.fromEntries(stepNames.map((step) => [step, 0]));
  const toKilled: string[] = [];
  const toSteady: string[] = [];
  let last: { id: string; text: string }[] = [];
  let cloned = 0;
  let runs = 0;
  let final: StepReport | undefined;

  /** `isFirst`: at the first time of the step, which every run has; else at one of the first few. */
  const one = async (step: string | null, isFirst = false) => {
    runs++;
    for (let i = 0; i < BURST; i++) {
      const text = `to killed ${toKilled.length}`;
      toKilled.push(text);
      await conversation.send({ text });
    }
    const fresh = Array.from({ length: BURST }, (_, i) => {
      const text = `to steady ${toSteady.length + i}`;
      return { id: text, text };
    });
    toSteady.push(...fresh.map(({ text }) => text));
    const texts = [...last, ...fresh];
    const occurrence = isFirst ? 1 : 1 + Math.floor(random() * BURST);
    const order = { ...base, step, occurrence, peer: steady.account, texts };
    const report = await child({ ...order, expect: toKilled.at(-1) ?? '' });
    last = texts;
    if (report === 'killed') return true;
    if (report.state === 'cloned') cloned++;
    last = [];
    final = report;
    return false;
  };

  for (const step of stepNames) {
    for (let tries = 0; (kills[step] ?? 0) < killsPerStep && tries < 3 * killsPerStep + 5; tries++) {
      // Where acks are made together a run has fewer of them than messages: the next is killed at its first.
      if ((await one(step)) || (await one(step, true))) kills[step] = (kills[step] ?? 0) + 1;
      if (runs % CLEAN_EVERY === 0) await one(null);
    }
  }
  await one(null);
  const steadyHistory = await waitFor(steady, account, toSteady.length);
  const killedHistory = final?.history ?? [];
  const both = [steadyHistory, killedHistory];
  const all = [...toKilled, ...toSteady];
  const lost = both.reduce((sum, history) => sum + all.filter((text) => !history.includes(text)).length, 0);
  const duplicated = both.reduce((sum, history) => sum + history.length - new Set(history).size, 0);
  const outOfOrder = steadyHistory.filter((text, index) => text !== killedHistory[index]).length;
  return { kills, runs, messages: all.length, lost, duplicated, outOfOrder, cloned };
}

/** The history, when so much has come, or what there is of it when it does not come. */
async function waitFor(client: Client, peer: string, count: number): Promise<string[]> {
  const history = (await client.direct(peer)).history({ limit: 1_000_000 });
  const read = () => history.getSnapshot().items;
  await new Promise<void>((resolve) => {
    const look = () => {
      const received = read().filter((item) => item.kind === 'message' && item.from !== client.account).length;
      const pending = read().some((item) => item.kind === 'message' && item.sequence === null);
      if (received < count || pending) return;
      end();
    };
    const end = () => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const timer = setTimeout(() => end(), STEADY_MS);
    const unsubscribe = history.subscribe(look);
    look();
  });
  return read().map((item) =>
    item.kind === 'message' ? (item.text ?? '') : `(${item.kind === 'hole' ? item.reason : item.what})`,
  );
}

/** Runs the client to its end, or to its kill. */
function runChild(order: StepOrder, execArgv: readonly string[]): Promise<StepReport | 'killed'> {
  const script = join(import.meta.dirname, 'step-client.ts');
  const args = [...execArgv, script, JSON.stringify(order)];
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: CHILD_MS,
      killSignal: 'SIGTERM',
    });
    let output = '';
    running.stdout.on('data', (data: Buffer) => (output += data.toString()));
    running.on('error', reject);
    running.on('exit', (code, signal) => {
      const report: unknown = code === 0 ? JSON.parse(output) : undefined;
      if (signal === 'SIGKILL') resolve('killed');
      else if (isReport(report)) resolve(report);
      else reject(new Error(`the client ended with ${signal ?? code} at ${order.step ?? 'no step'}`));
    });
  });
}

function isReport(value: unknown): value is StepReport {
  return typeof value === 'object' && value !== null && 'history' in value && 'account' in value;
}
