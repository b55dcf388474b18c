import { join } from 'node:path';
import { waxwing } from '../../test/support/cli.ts';
import { startClient } from './person.ts';
import { strikes, type FaultReport, type Size, type Strike } from './report.ts';

/** A second client on the file of a running one. Seen: it ended with StoreInUseError. */
const client: Strike = async ({ folder, people }) => {
  const [alice] = people;
  const second = startClient({
    ...{ server: `http://127.0.0.1:${alice.proxy.port}`, pace: 1 },
    ...{ path: join(folder, 'alice.db'), keyFile: join(folder, 'alice.key') },
  });
  const { code } = await second.exit();
  return code === 1 && second.lines.some((line) => line.includes('StoreInUseError'));
};

/** A second relay on the folder of a running one. Seen: it ended and named the folder. */
const relay: Strike = async (world) => {
  const { folder } = world.relay;
  const second = waxwing(['serve', '--data', folder, '--port', '0', '--admin-port', 'off']);
  const { code } = await second.exit();
  return code !== 0 && second.errors.includes('is in use by another storage');
};

/** F20: two processes on one profile, or on one store: the second is refused, the first goes on. */
export function twins(size: Size): Promise<FaultReport> {
  return strikes({ ...size, fault: 'F20', how: 'the same file or folder opened twice', kinds: { client, relay } });
}
