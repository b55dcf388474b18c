import { readFileSync } from 'node:fs';
import { waxwing } from '../../test/support/cli.ts';
import { testOrigin } from '../../test/support/relay-device.ts';

/** `waxwing serve` on a folder that holds test accounts, with what an operator sees of it. */
export async function serveRelay(folder: string) {
  const origin = ['--origin', testOrigin];
  const server = waxwing([
    ...['serve', '--data', folder, '--port', '0', '--admin-port', '0', '--log-level', 'error', ...origin],
  ]);
  const listens = await server.line((text) => text.includes('waxwing listens on'));
  const operator = await server.line((text) => text.startsWith('for the operator: '));
  const url = listens.replace(/^.* on /, '');
  const admin = operator.replace(/^for the operator: (.*)\/readyz.*$/, '$1');
  const pid = server.pid;
  return {
    server,
    http: url,
    url: `${url.replace('http', 'ws')}/v1/relay`,
    /** Of the process, in KiB. */
    rssKib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
    /** The value of a metric, named with its labels as it is printed; 0 where it is not. */
    async metric(name: string): Promise<number> {
      const text = await (await fetch(`${admin}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1) ?? 0);
    },
  };
}
