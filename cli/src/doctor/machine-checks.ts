import type { Check } from './check.ts';
import type { Facts } from './facts.ts';

const MiB = 1_024 * 1_024;
/** What a server needs beside its sockets. */
const FILES_BESIDE = 200;
const LEAST_FREE_BYTES = 512 * MiB;
/** As package.json's engines have it. */
const OLDEST_NODE = [20, 19] as const;

function settingsOf({ settings }: Facts) {
  return settings && !('wrong' in settings) ? settings : undefined;
}

/** What can be wrong with the machine that a server runs on, and with how it is set up there. */
export const machineChecks: readonly Check[] = [
  {
    name: 'node',
    why: 'nobody has tried it with an older one, and the newest fixes of Node are missing',
    find({ machine }) {
      const [major = 0, minor = 0] = machine.node.replace(/^v/, '').split('.').map(Number);
      const [needsMajor, needsMinor] = OLDEST_NODE;
      if (major > needsMajor || (major === needsMajor && minor >= needsMinor)) return undefined;
      return { wrong: `Node is ${machine.node}`, mend: `install Node ${OLDEST_NODE.join('.')} or later` };
    },
  },
  {
    name: 'settings',
    why: 'the server does not start with them',
    find({ settings }) {
      if (settings === undefined || !('wrong' in settings)) return undefined;
      return { wrong: settings.wrong.join('; '), mend: 'mend what is named; docs/operations.md has every setting' };
    },
  },
  {
    name: 'open-files',
    why: 'beyond it the server takes no more connections, and may not open its own files',
    find(facts) {
      const settings = settingsOf(facts);
      const { openFiles } = facts.machine;
      if (!settings || openFiles === undefined) return undefined;
      const needed = settings.maxConnections + FILES_BESIDE;
      if (openFiles >= needed) return undefined;
      return {
        wrong: `${openFiles} files may be open here, and ${settings.maxConnections} connections need ${needed}`,
        mend: `ulimit -n ${needed} (systemd: LimitNOFILE=${needed}), or serve with --max-connections ${Math.max(1, openFiles - FILES_BESIDE)}`,
      };
    },
  },
  {
    name: 'proxy-trust',
    why: 'all clients count as the one address of the proxy, and share its rates',
    find(facts) {
      const settings = settingsOf(facts);
      const isBehind = settings?.origins?.some((origin) => origin.startsWith('https:')) ?? false;
      if (!isBehind || settings?.trustProxy) return undefined;
      return {
        wrong: 'clients dial https, so a proxy stands before the server, and its X-Forwarded-For is not believed',
        mend: 'serve with --trust-proxy and the network of the proxy: 127.0.0.1/32 where it runs on this machine',
      };
    },
  },
  {
    name: 'data-folder',
    why: 'the server cannot keep what it has to',
    find({ data }) {
      switch (data?.state) {
        case undefined:
        case 'there':
          return undefined;
        case 'missing':
          return {
            wrong: `${data.folder} is not there`,
            mend: 'start the server once, which makes it; or give the right --data',
          };
        case 'no_folder':
          return { wrong: `${data.folder} is not a folder`, mend: 'give another --data' };
        case 'closed':
          return {
            wrong: `${data.folder} cannot be read and written by this user`,
            mend: `chown -R USER ${data.folder}`,
          };
      }
    },
  },
  {
    name: 'data-open',
    why: 'other users of the machine may read who talks to whom, and change it',
    find({ data }) {
      if (data === undefined || data.open.length === 0) return undefined;
      return {
        wrong: `others than their owner may open ${data.open.join(', ')}`,
        mend: `chmod -R go= ${data.folder}`,
      };
    },
  },
  {
    name: 'data-temporary',
    why: 'accounts and undelivered messages are gone when the machine starts anew',
    find({ data }) {
      if (!data?.isTemporary) return undefined;
      return {
        wrong: `${data.folder} is a temporary place`,
        mend: 'stop the server, move the folder, as to /var/lib/waxwing, and serve with --data there',
      };
    },
  },
  {
    name: 'disk',
    why: 'a server that can write no more refuses every message',
    find({ data }) {
      if (data?.freeBytes === undefined || data.freeBytes >= LEAST_FREE_BYTES) return undefined;
      return {
        wrong: `the disk of ${data.folder} has ${Math.floor(data.freeBytes / MiB)} MiB left`,
        mend: `make room, or move the folder to a larger disk: df -h ${data.folder}`,
      };
    },
  },
];
