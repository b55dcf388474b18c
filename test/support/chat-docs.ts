import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChatScreens } from './chat-play.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The pages that show screens of the chat: each between `<!-- screen: NAME -->` and `<!-- end of screen -->`. */
export const pages = ['README.md', 'docs/chat.md'] as const;

const shown = /(<!-- screen: (\w+) -->)\n[^]*?\n(<!-- end of screen -->)/g;

export function readPage(page: string): string {
  return readFileSync(root + page, 'utf8');
}

export function writePage(page: string, text: string): void {
  writeFileSync(root + page, text);
}

/** A page with the screens of a play in their places. Throws for a name that no screen has. */
export function withScreens(page: string, screens: ChatScreens): string {
  const byName: Readonly<Record<string, string | undefined>> = screens;
  return page.replace(shown, (_whole, begin: string, name: string, end: string) => {
    const screen = byName[name];
    if (screen === undefined) throw new Error(`there is no screen ${name}`);
    return `${begin}\n\n\`\`\`text\n${screen}\n\`\`\`\n\n${end}`;
  });
}

/** The names of the screens that a page shows. */
export function screensIn(page: string): string[] {
  return [...page.matchAll(shown)].map(([, , name = '']) => name);
}
