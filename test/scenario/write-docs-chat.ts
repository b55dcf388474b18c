import { pages, readPage, withScreens, writePage } from '../support/chat-docs.ts';
import { playChat } from '../support/chat-play.ts';

const screens = await playChat();
for (const page of pages) writePage(page, withScreens(readPage(page), screens));
