// The few options of curl that the documentation uses, over fetch: prints the body of the answer.
import { readFileSync } from 'node:fs';

const headers: Record<string, string> = {};
let method = 'GET';
let body: Buffer | undefined;
let url = '';
const args = process.argv.slice(2);
for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
  if (arg === '-s') continue;
  if (arg === '-X') method = args.shift() ?? '';
  else if (arg === '-H') {
    const [name = '', ...value] = (args.shift() ?? '').split(':');
    headers[name] = value.join(':').trim();
  } else if (arg === '--data-binary') body = readFileSync((args.shift() ?? '').slice(1));
  else url = arg;
}
const answer = await fetch(url, { method, headers, ...(body && { body: new Uint8Array(body) }) });
console.log(await answer.text());
