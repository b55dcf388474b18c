import { inputLines, say } from './lines.ts';

// Takes memory, as soon as it is told to, until it is ended.

const taken: Buffer[] = [];
say({ said: 'ready' });
for await (const line of inputLines(process.stdin)) {
  while (line !== '') taken.push(Buffer.alloc(4 * 1024 * 1024, taken.length + 1));
}
