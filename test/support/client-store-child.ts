import { Db } from '../../client-core/src/history/database.ts';

// Opens the file named first with the key in hex named second, says how that went, and ends when its input does.
const [path = '', key = ''] = process.argv.slice(2);
try {
  const db = Db.open(path, Buffer.from(key, 'hex'), { create: false });
  process.stdout.write('opened\n');
  process.stdin.on('end', () => {
    db.close();
    process.exit(0);
  });
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.name : 'unknown'}\n`);
  process.exit(0);
}
process.stdin.resume();
