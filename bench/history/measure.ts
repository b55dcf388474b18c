/** Measures one row on a built profile, in this fresh process: `measure.ts PROFILE MESSAGES ROW`. Prints one JSON line. */
import { openClient, type Client, type Conversation, type SearchOptions } from '@waxwing/client-core';
import { readProfile } from '../../cli/src/profile.ts';
import { seededRandom } from '../../test/support/seeded.ts';
import { rows, type Row, type Where } from './rows.ts';
import { firstMs, spanMs } from './shape.ts';
import { hitsOf } from './texts.ts';

const WARM = 20;
const JUMPS = 100;
const BACK = 200;

type Took = { readonly wallMs: number; readonly cpuMs: number };
const took: Took[] = [];

async function timed<T>(work: () => T | Promise<T>): Promise<T> {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const result = await work();
  const wallMs = performance.now() - wall;
  const { user, system } = process.cpuUsage(cpu);
  took.push({ wallMs, cpuMs: (user + system) / 1_000 });
  return result;
}

const [folder = '', count = '0', name = ''] = process.argv.slice(2);
const messages = Number(count);
const row = rows.find((one) => one.name === name);
if (row === undefined) throw new Error(`no row ${name}`);
const { store } = await readProfile(folder);
const random = seededRandom(3);
let right = true;

/** The file's conversations in the order in which they were begun: the first is the largest. */
const peer = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
const talkWith = (client: Client, index: number): Promise<Conversation> => client.direct(peer(index));
const someDate = (): Date => new Date(firstMs + random() * spanMs);

async function optionsFor(client: Client, where: Where): Promise<SearchOptions> {
  switch (where) {
    case 'all':
      return {};
    case 'largest':
    case 'small':
      return { conversation: (await talkWith(client, where === 'largest' ? 0 : 7)).id };
    case 'from':
      return { from: (await client.direct(peer(9))).peer };
  }
}

async function measureSearch(client: Client, one: Extract<Row, { kind: 'search' }>): Promise<void> {
  const options = await optionsFor(client, one.where);
  let before: string | undefined;
  for (let seen = 0; seen < (one.depth ?? 0); seen += 200) {
    before = (await client.search(one.query, { ...options, limit: 200, ...(before && { before }) })).before ?? before;
  }
  const first = await timed(() => client.search(one.query, { ...options, ...(before && { before }) }));
  for (let again = 0; again < WARM; again += 1) {
    await timed(() => client.search(one.query, { ...options, ...(before && { before }) }));
  }
  right &&= one.where !== 'all' || one.query.includes('omega') || first.items.length > 0;
  if (one.mark === undefined) return;
  const ids = new Set<string>();
  const most = hitsOf(one.mark, messages);
  for (let next: string | null | undefined; next !== null && ids.size <= most;) {
    const page = await client.search(one.query, { limit: 200, ...(next !== undefined && { before: next }) });
    for (const { message } of page.items) ids.add(message.id);
    next = page.before;
  }
  right &&= ids.size === most;
}

async function measurePages(client: Client, kind: Exclude<Row['kind'], 'search' | 'open'>): Promise<void> {
  const conversation = await talkWith(client, 0);
  if (kind === 'back') {
    const query = conversation.history();
    const end = query.subscribe(() => undefined);
    for (let page = 0; page < BACK; page += 1) await timed(() => query.loadOlder());
    const { items, hasOlder } = query.getSnapshot();
    right &&= !hasOlder || items.length === 50 * (BACK + 1);
    end();
    return;
  }
  for (let jump = 0; jump < JUMPS; jump += 1) {
    const query = conversation.history({ around: someDate() });
    const open = () => query.subscribe(() => undefined);
    const end = kind === 'jump' ? await timed(open) : open();
    const { items } = query.getSnapshot();
    right &&= items.length > 0;
    const item = items[Math.floor(random() * items.length)];
    if (kind === 'older') for (let page = 0; page < 3; page += 1) await timed(() => query.loadOlder());
    if (kind === 'newer') for (let page = 0; page < 3; page += 1) await timed(() => query.loadNewer());
    if (kind === 'around' && item?.kind === 'message') {
      const there = conversation.history({ around: item.id });
      (await timed(() => there.subscribe(() => undefined)))();
    }
    end();
  }
}

if (row.kind === 'open') {
  const client = await timed(async () => {
    const opened = await openClient({ store });
    const list = opened.conversations().getSnapshot();
    const page = (await talkWith(opened, 0)).history().getSnapshot();
    right = list.items.length === 50 && page.items.length === 50;
    return opened;
  });
  await client.close();
} else {
  const client = await openClient({ store });
  if (row.kind === 'search') await measureSearch(client, row);
  else await measurePages(client, row.kind);
  await client.close();
}
process.stdout.write(`${JSON.stringify({ right, took })}\n`);
