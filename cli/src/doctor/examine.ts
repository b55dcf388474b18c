import type { Runtime } from '@waxwing/protocol';
import type { ServeSettings } from '../settings/serve-settings.ts';
import { diagnose, type Check, type Finding } from './check.ts';
import type { Facts } from './facts.ts';
import { lookAtData } from './look-at-data.ts';
import { lookAtProfile } from './look-at-profile.ts';
import { lookAtAdmin, lookAtServer } from './look-at-server.ts';
import { machineChecks } from './machine-checks.ts';
import { profileChecks } from './profile-checks.ts';
import { serverChecks } from './server-checks.ts';
import type { Surroundings } from './surroundings.ts';

/** Everything that is looked for, in the order in which it is told. */
export const checks: readonly Check[] = [...machineChecks, ...serverChecks, ...profileChecks];

/** Where to look. What is absent is not looked at. */
export type Asked = {
  /** A server's origin; absent: that of the settings or of the profile's device. */
  readonly url?: string;
  readonly profile?: string;
  readonly admin?: string;
  readonly settings?: ServeSettings | { readonly wrong: readonly string[] };
};

export type Examined = {
  readonly findings: readonly Finding[];
  /** What was looked at, by the names of the facts. */
  readonly lookedAt: readonly string[];
};

/** Looks, and says what is wrong. Rejects with bugs only. */
export async function examine(asked: Asked, runtime: Runtime, machine: Surroundings): Promise<Examined> {
  const settings = asked.settings && !('wrong' in asked.settings) ? asked.settings : undefined;
  const profile = asked.profile === undefined ? undefined : await lookAtProfile(asked.profile);
  try {
    const { device } = profile?.facts ?? {};
    const url = asked.url ?? urlOf(settings) ?? (device?.type === 'there' ? device.server : undefined);
    const server = url === undefined ? undefined : await lookAtServer(url, runtime);
    const said = server?.answer.type === 'waxwing' ? await profile?.ask(server.url) : undefined;
    const admin = asked.admin ?? adminOf(settings);
    const facts: Facts = {
      machine: { node: machine.node, ...(machine.openFiles !== undefined && { openFiles: machine.openFiles }) },
      ...(asked.settings && { settings: asked.settings }),
      ...(settings && { data: await lookAtData(settings.directory, machine) }),
      ...(server && { server }),
      ...(admin !== undefined && { admin: await lookAtAdmin(admin, runtime) }),
      ...(profile && { profile: { ...profile.facts, ...(said !== undefined && { said }) } }),
    };
    return { findings: diagnose(checks, facts), lookedAt: Object.keys(facts) };
  } finally {
    await profile?.close();
  }
}

function urlOf(settings: ServeSettings | undefined): string | undefined {
  if (!settings) return undefined;
  return settings.origins?.[0] ?? `http://${bracketed(settings.host)}:${settings.port}`;
}

function adminOf(settings: ServeSettings | undefined): string | undefined {
  return settings?.admin && `http://${bracketed(settings.admin.host)}:${settings.admin.port}`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
