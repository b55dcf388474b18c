/**
 * `npm run demo`: a relay and two devices, each a process of its own. They talk; Bob goes offline, the relay is killed and
 * comes back, Bob returns. Then what both devices hold is checked, and that the relay's files hold no text.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkFiles, checkHistories, type Finding } from './check.ts';
import { endChildren } from './child.ts';
import { Device } from './device.ts';
import { RelayProcess } from './relay.ts';
import { again, together, whileBobIsAway, whileRelayIsGone, type Line } from './texts.ts';
import { Transcript } from './transcript.ts';

const folder = mkdtempSync(join(tmpdir(), 'waxwing-demo-'));
const cleanUp = (): void => {
  endChildren();
  rmSync(folder, { recursive: true, force: true });
};
process.once('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const page = new Transcript((line) => void process.stdout.write(`${line}\n`));
const relayFolder = join(folder, 'relay');

function device(name: 'Alice' | 'Bob', server: string): Device {
  mkdirSync(join(folder, name));
  return new Device({ name, server, folder: join(folder, name) });
}

async function tell(): Promise<Finding[]> {
  page.plain('Waxwing: a relay and two devices, each a process of its own. A moment…');
  const relay = new RelayProcess(relayFolder);
  await relay.start();
  const people = { Alice: device('Alice', relay.url), Bob: device('Bob', relay.url) };
  const { Alice: alice, Bob: bob } = people;
  await Promise.all([alice.start(), bob.start()]);

  const said: Line[] = [];
  const times: Date[] = [];
  const say = async (line: Line): Promise<void> => {
    const [from, to] = line.from === 'Alice' ? [alice, bob] : [bob, alice];
    times.push(new Date());
    said.push(line);
    await from.say(to.account, line.text);
  };
  /** Prints the lines from there on, as they stand now. */
  const show = (from: number): void => {
    for (const [index, line] of said.entries()) {
      if (index < from) continue;
      const nth = said.slice(0, index).filter((other) => other.from === line.from).length;
      const status = [...people[line.from].statuses.values()][nth] ?? 'queued';
      page.said(line.from, line.text, times[index] ?? new Date(), status);
    }
  };
  const received = (by: Device): number => said.filter(({ from }) => people[from] !== by).length;

  for (const line of together) {
    await say(line);
    await (line.from === 'Alice' ? bob : alice).untilReceived(received(line.from === 'Alice' ? bob : alice));
  }
  await Promise.all([alice.untilAll(['delivered']), bob.untilAll(['delivered'])]);
  show(0);

  await bob.stop();
  page.happened('Bob goes offline; Alice writes on, and the relay keeps it for him');
  let shown = said.length;
  for (const line of whileBobIsAway) await say(line);
  await alice.untilAll(['delivered', 'sent']);
  show(shown);

  await relay.kill();
  page.happened('the relay is killed (kill -9); what Alice writes waits on her device');
  shown = said.length;
  for (const line of whileRelayIsGone) await say(line);
  show(shown);

  await relay.start();
  await alice.untilAll(['delivered', 'sent']);
  page.happened('the relay is back on the same folder; it has what it said it had, and takes the rest');
  show(shown);

  await bob.start();
  await bob.untilReceived(received(bob));
  await alice.untilAll(['delivered']);
  page.happened('Bob is back; everything that waited reaches him');
  show(together.length);
  page.plain('');

  shown = said.length;
  for (const line of again) {
    await say(line);
    await (line.from === 'Alice' ? bob : alice).untilReceived(received(line.from === 'Alice' ? bob : alice));
  }
  await Promise.all([alice.untilAll(['delivered']), bob.untilAll(['delivered'])]);
  show(shown);

  const findings = [...(await checkHistories(alice, bob, said)), ...checkFiles(relayFolder, alice, said)];
  await Promise.all([alice.stop(), bob.stop()]);
  return findings;
}

try {
  const findings = await tell();
  page.happened('checked');
  for (const { what, said, good } of findings) page.plain(`  ${good ? '✓' : '✗'} ${what.padEnd(13)} ${said}`);
  process.exit(findings.every(({ good }) => good) ? 0 : 1);
} catch (error) {
  process.stderr.write(`\nthe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
