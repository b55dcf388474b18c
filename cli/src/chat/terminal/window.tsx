import { Writable } from 'node:stream';
import { render } from 'ink';
import type { Frames } from './frames.ts';
import { listenForKeys, type Key } from './keys.ts';
import { Painter } from './painter.ts';
import { panesOf } from './panes.ts';
import { Screen } from './screen.tsx';
import { sizeOf, type Terminal, type Size } from '../terminal.ts';
import type { ChatState, Setting } from './state.ts';

/** What is drawn on a terminal, until `close`, which gives it back as it was. */
export type Window = {
  /** Draws all of it again. */
  redraw(): void;
  /** Idempotent. */
  close(): void;
};

/** Takes the terminal over: draws each frame, gives each key and each new size. */
export function openWindow(
  terminal: Terminal,
  frames: Frames<ChatState>,
  setting: Setting,
  on: { readonly key: (key: Key) => void; readonly size: (size: Size) => void },
): Window {
  const { stdin, stdout } = terminal;
  const painter = new Painter(stdout);
  let last = '';
  const paint = (frame: string): void => {
    last = frame;
    const state = frames.getSnapshot();
    const { cursor, rows } = panesOf(state, setting).input;
    painter.paint(frame, { row: state.size.rows - rows.length + cursor.row, column: cursor.column });
  };
  const resized = (): void => {
    painter.forget();
    on.size(sizeOf(terminal));
  };
  // However the process ends, the terminal is given back.
  const leave = (): void => painter.leave();
  process.once('exit', leave);
  painter.enter();
  stdin.setRawMode(true);
  const endKeys = listenForKeys(stdin, on.key);
  stdin.resume();
  stdout.on('resize', resized);
  const drawn = render(<Screen source={frames} setting={setting} />, {
    stdout: new FrameStream(() => frames.getSnapshot().size, paint).asTerminal(),
    // Each frame comes whole and at once: the frames have their pace already, and the painter knows what changed.
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  let isOpen = true;
  return {
    redraw() {
      painter.forget();
      paint(last);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      stdout.off('resize', resized);
      endKeys();
      stdin.setRawMode(false);
      stdin.pause();
      painter.leave();
      drawn.unmount();
      process.off('exit', leave);
    },
  };
}

/** What ink draws to instead of the terminal: each write is a frame. */
class FrameStream extends Writable {
  readonly #size: () => Size;
  readonly #paint: (frame: string) => void;

  constructor(size: () => Size, paint: (frame: string) => void) {
    super({ decodeStrings: false });
    this.#size = size;
    this.#paint = paint;
  }

  get columns(): number {
    return this.#size().columns;
  }

  get rows(): number {
    return this.#size().rows;
  }

  override _write(frame: unknown, _encoding: string, done: () => void): void {
    if (typeof frame === 'string') this.#paint(frame);
    done();
  }

  /** Ink asks for a terminal's stream, and uses of it what is here. */
  asTerminal(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}
