import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { systemRuntime } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import { runWaxwing } from '../../cli/src/run.ts';
import { Terminal } from './cli-terminal.ts';
import { temporaryFolder } from './cli.ts';
import { startTestServer } from './in-process-server.ts';

/** What stood on the screens during the play, by name; what differs from run to run is replaced. */
export type ChatScreens = {
  /** Alice wrote, and Bob's device is not connected. */
  readonly sent: string;
  /** Both talk: hers, and his. */
  readonly alice: string;
  readonly bob: string;
  /** A message in another conversation. */
  readonly unread: string;
  /** The same in a narrow terminal. */
  readonly narrow: string;
  /** The server lost a message, and who wrote it is away. */
  readonly hole: string;
  /** The writer came back. */
  readonly late: string;
};

const SIZE = { columns: 80, rows: 16 };

/**
 * Plays a short conversation of two people, each with the chat in a terminal: messages on their way, an unread one, a
 * narrow terminal, a server that loses a message, and its coming after all. Rejects where a screen does not come to what
 * it should.
 */
export async function playChat(): Promise<ChatScreens> {
  const { path: folder, remove } = temporaryFolder('chat-play');
  let storage = createMemoryStorage({ runtime: systemRuntime });
  let server = await startTestServer(storage);
  const { port, hostname } = new URL(server.url);
  const terminals: Terminal[] = [];
  const open = (name: string, peer: string): Terminal => {
    const args = ['chat', '--profile', join(folder, name), '--with', peer];
    const terminal = new Terminal(`play${terminals.length}`, args, { ...SIZE, noColour: true });
    terminals.push(terminal);
    return terminal;
  };
  const leave = async (terminal: Terminal): Promise<void> => {
    terminal.press('C-c');
    await terminal.until((screen) => screen.includes('ended with 0'));
  };
  try {
    const url = `http://${hostname}:${port}`;
    for (const name of ['alice', 'bob', 'carol']) {
      await run(['register', '--server', url, '--profile', join(folder, name), '--username', name]);
    }
    const first = open('alice', 'carol');
    await first.until((screen) => screen.includes('carol>'));
    first.type('/open bob');
    await first.until((screen) => screen.includes('bob>') && !screen.includes('connecting'));
    first.type('Low tide is at six. Shall we walk out to the island?');
    const sent = await first.until((screen) => screen.includes(' ✓  '));

    const second = open('bob', 'alice');
    await second.until((screen) => screen.includes('island?') && !/connecting|catching/.test(screen));
    second.type('Yes! 🦀 I bring the buckets.');
    const alice = await first.until((screen) => screen.includes('buckets') && /read +me +Low tide/.test(screen));
    const bob = await second.until((screen) => /read +me +Yes/.test(screen));

    await run(['send', '--profile', join(folder, 'carol'), '--to', 'alice', '--wait', 'sent', 'Dinner on Friday?']);
    const unread = await first.until((screen) => screen.includes('1 new'));
    first.resize(50, 14);
    const narrow = await first.until((screen) => screen.includes('›') && !screen.includes('│'));
    first.resize(SIZE.columns, SIZE.rows);
    await first.until((screen) => screen.includes('│'));

    await leave(second);
    first.type('Take a lamp, it is dark by then.');
    await first.until((screen) => / ✓ +me +Take a lamp/.test(screen));
    const { directory } = storage.snapshot();
    await server.close();
    await first.until((screen) => screen.includes('offline'));
    storage = createMemoryStorage({ runtime: systemRuntime, from: { directory } });
    server = await startTestServer(storage, Number(port));
    first.type('And boots.');
    await first.until((screen) => / ✓ +me +And boots/.test(screen));
    await leave(first);

    const third = open('bob', 'alice');
    const hole = await third.until((screen) => screen.includes('missing') && screen.includes('And boots.'));
    const fourth = open('alice', 'bob');
    const late = await third.until((screen) => screen.includes('came late'));
    await leave(third);
    await leave(fourth);
    return mapped({ sent, alice, bob, unread, narrow, hole, late });
  } finally {
    for (const terminal of terminals) terminal.end();
    await server.close();
    remove();
  }
}

/** A command in this process, to its end. */
async function run(args: readonly string[]): Promise<void> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const stdin = new PassThrough();
  stdin.end();
  const code = await runWaxwing(args, {
    stdin,
    stdout: stdout.resume(),
    stderr: stderr.resume(),
    env: {},
    interrupted: () => new AbortController().signal,
  });
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
}

function mapped(screens: ChatScreens): ChatScreens {
  const fixed = (screen: string): string =>
    screen
      .replaceAll(/\d\d:\d\d:\d\d/g, '12:34:56')
      .replaceAll(/\d\d:\d\d(?!:)/g, '12:34')
      .replaceAll(/── \w+day \d+ \w+ \d+ ──/g, '── Monday 1 June 2026 ──')
      .replaceAll(/ [0-9a-f]{8}$/gm, ' 1a2b3c4d');
  const { sent, alice, bob, unread, narrow, hole, late } = screens;
  return {
    sent: fixed(sent),
    alice: fixed(alice),
    bob: fixed(bob),
    unread: fixed(unread),
    narrow: fixed(narrow),
    hole: fixed(hole),
    late: fixed(late),
  };
}
