import type { Check, Fault } from './check.ts';

const refusals: Readonly<Record<string, (folder: string) => Fault>> = {
  store_in_use: (folder) => ({
    wrong: `another process has ${folder} open`,
    mend: 'end the other chat, tail or send; fuser device.db in the folder says which it is',
  }),
  store_key_mismatch: (folder) => ({
    wrong: `device.key does not open device.db in ${folder}: one of them was replaced`,
    mend: 'put back the device.key that belongs to it; without it nobody can read the file',
  }),
  store_too_new: (folder) => ({
    wrong: `${folder} was written by a newer version`,
    mend: 'update this program',
  }),
};

const toServer: Readonly<Record<string, Fault>> = {
  token_rejected: {
    wrong: 'the server does not know this device',
    mend: 'it lost its data or is another server: put back its backup, or register in a new folder',
  },
  cloned: {
    wrong: 'a copy of this profile has connected since',
    mend: 'go on with the newer copy, and delete this one',
  },
};

/** What can be wrong with a device's folder. */
export const profileChecks: readonly Check[] = [
  {
    name: 'profile',
    why: 'there is no account to write or read with',
    find({ profile }) {
      if (!profile) return undefined;
      const { folder, isUnfinished, device } = profile;
      if (isUnfinished) {
        return {
          wrong: `the registration in ${folder} has no outcome yet`,
          mend: 'type the same waxwing register again: it goes on where it ended',
        };
      }
      if (device.type !== 'none') return undefined;
      const mend = `give the right --profile, or make a device: waxwing register --server URL --profile ${folder}`;
      return { wrong: `${folder} has no device`, mend };
    },
  },
  {
    name: 'key',
    why: 'nothing in the profile can be read without its key',
    find({ profile }) {
      if (profile?.device.type === 'no_key') {
        return {
          wrong: `${profile.folder} has a device.db but no device.key`,
          mend: 'put the device.key back from where it was copied or moved to',
        };
      }
      if (profile?.device.type !== 'bad_key') return undefined;
      return {
        wrong: `device.key in ${profile.folder} is not a key: 64 hex digits (it has ${profile.device.bytes * 2} characters)`,
        mend: 'put the right device.key back',
      };
    },
  },
  {
    name: 'key-open',
    why: 'whoever reads the key reads every message on this device',
    find({ profile }) {
      if (!profile || profile.open.length === 0) return undefined;
      return {
        wrong: `others than their owner may read ${profile.open.join(', ')}`,
        mend: `chmod 600 ${profile.open.join(' ')}`,
      };
    },
  },
  {
    name: 'store',
    why: 'no command that needs this profile works',
    find({ profile }) {
      if (profile?.device.type !== 'refused') return undefined;
      const { folder, device } = profile;
      const known = refusals[device.code]?.(folder);
      return known ?? { wrong: `${folder} cannot be opened (${device.code})`, mend: 'docs/errors.md says what it is' };
    },
  },
  {
    name: 'other-server',
    why: 'the device dials its own server, whatever else runs well',
    find({ profile, server }) {
      if (profile?.device.type !== 'there' || !server || profile.device.server === server.url) return undefined;
      return {
        wrong: `the device in ${profile.folder} is of ${profile.device.server}, not of ${server.url}`,
        mend: `look at its own server: waxwing doctor --url ${profile.device.server}`,
      };
    },
  },
  {
    name: 'device',
    why: 'the server takes nothing from it and gives it nothing',
    find({ profile, server }) {
      if (profile?.device.type !== 'there' || profile.device.server !== server?.url) return undefined;
      return profile.said === undefined ? undefined : toServer[profile.said];
    },
  },
];
