/**
 * Takes the keys of a device out of a store until it is killed or none is left: `key-child.ts FOLDER DEVICE`, the device as
 * JSON. Each key is said once it was handed out.
 */
import { systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage, type DeviceKey } from '@waxwing/storage';

const [folder = '', device = ''] = process.argv.slice(2);
const key = JSON.parse(device) as DeviceKey;
const { prekeys } = await openSqliteStorage({
  directory: folder,
  runtime: systemRuntime,
  limits: { oneTimeKeysPerDevice: 100_000, oneTimeKeysRemembered: 200_000 },
});
let left = true;
while (left) {
  const taken = await Promise.all(Array.from({ length: 64 }, () => prekeys.take(key, { oneTime: true })));
  const ids = taken.map((keys) => keys?.oneTimeKey?.id);
  process.stdout.write(ids.map((id) => `${id ?? 'none'}\n`).join(''));
  left = ids.some((id) => id !== undefined);
}
process.stdout.write('end\n');
process.exit(0);
