import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/cli.ts';
import { PowerDisk } from '../power-disk.ts';
import { checkFiles } from './disk.ts';
import { reported, strikes, WEAKENED_SETTLE_MS, type FaultReport, type Size } from './report.ts';

const DISK_BYTES = 64 * 1024 * 1024;

/** F6: the power of the relay's disk goes. Without root or loop devices it is a problem, not a pass. With `unsynced`, a relay that does not wait for its disk: it must not pass. */
export async function powerCuts(size: Size, unsynced = false): Promise<FaultReport> {
  const { path, remove } = temporaryFolder('power');
  const fault = unsynced ? 'F6-power-unsynced' : 'F6-power';
  const how = 'ext4 in a file: what was not synced is lost';
  let disk: PowerDisk;
  try {
    disk = new PowerDisk(path, DISK_BYTES);
  } catch (error) {
    remove();
    const problem = `no disk can be made here by this user: ${String(error)}`;
    return reported({ ...size, fault, how, due: { power: size.runs }, shown: {} }, () => Promise.resolve({ problem }));
  }
  const relay = unsynced ? ({ pace: 1, unsynced } as const) : 'shipped';
  const store = join(disk.folder, 'store');
  try {
    return await strikes({
      ...size,
      fault,
      how,
      relay,
      store,
      ...(unsynced && { settleMs: WEAKENED_SETTLE_MS }),
      kinds: {
        /** One says what the other cannot hear yet. Seen: what was reported sent before was not received yet. */
        async power(world) {
          const { speaker, listener } = world.parted();
          await world.settle();
          disk.sync();
          listener.proxy.refuse();
          listener.proxy.reset();
          world.talk();
          await speaker.until(() => speaker.sent.size === speaker.said.length, 30_000);
          const waiting = speaker.said.filter((text) => speaker.sent.has(text) && !listener.received.has(text));
          const { process } = world.relay;
          await world.relay.kill();
          disk.cut();
          checkFiles(store, join(world.folder, 'copy'));
          await world.relay.start(relay);
          listener.proxy.accept();
          return process.ended?.signal === 'SIGKILL' && waiting.length > 0;
        },
      },
    });
  } finally {
    disk.unmount();
    remove();
  }
}
