import { attackClient } from './client.ts';
import { attackDecoders } from './decoders.ts';
import { attackDeviceFile } from './device-file.ts';
import { attackGateway } from './gateway.ts';
import { attackHttp } from './http.ts';
import { judge, type Attacked, type Strictness } from './judge.ts';
import { attackKeys } from './key-material.ts';
import type { RowName, RowOptions, RowReport } from './row.ts';
import { attackWebSocket } from './websocket.ts';

type Row = {
  /** Who is attacked, and so measured: a server process, the client or the decoders in this one, or both. */
  readonly attacks: Attacked;
  /** What a release is held to, and each commit (docs/adr/0010-hostile-input-counts.md). */
  readonly perRelease: number;
  readonly perCommit: number;
  readonly run: (options: RowOptions) => RowReport | Promise<RowReport>;
};

export const rows: Readonly<Record<RowName, Row>> = {
  H1: { attacks: 'server', perRelease: 200_500, perCommit: 200, run: attackWebSocket },
  H2: { attacks: 'both', perRelease: 10_000_000, perCommit: 20_000, run: attackDecoders },
  H3: { attacks: 'server', perRelease: 50_000, perCommit: 200, run: attackGateway },
  H4: { attacks: 'server', perRelease: 1_000_000, perCommit: 1_100, run: attackHttp },
  H5: { attacks: 'both', perRelease: 100_000, perCommit: 1_000, run: attackKeys },
  H6: { attacks: 'own', perRelease: 100_000, perCommit: 120, run: attackClient },
  H7: { attacks: 'own', perRelease: 20_000, perCommit: 504, run: attackDeviceFile },
};

const CALM_MS = { release: 10_000, commit: 1_000 } as const;

/** Runs a row and judges it: its findings are all that is wrong with it, its measurements included. */
export async function runRow(
  name: RowName,
  { cases, seed }: { readonly cases: number; readonly seed: number },
  strictness: Strictness,
): Promise<RowReport> {
  const { attacks, run } = rows[name];
  const report = await run({ cases, seed, calmMs: CALM_MS[strictness] });
  return { ...report, findings: judge(report, attacks, strictness) };
}

/** What each commit is held to. */
export function runForCommit(name: RowName): Promise<RowReport> {
  return runRow(name, { cases: rows[name].perCommit, seed: 1 }, 'commit');
}
