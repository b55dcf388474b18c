import { attackClient } from './client.ts';
import { attackDecoders } from './decoders.ts';
import { attackDeviceFile } from './device-file.ts';
import { attackGateway } from './gateway.ts';
import { attackHttp } from './http.ts';
import { attackKeys } from './key-material.ts';
import type { RowName, RowOptions, RowReport } from './row.ts';
import { attackWebSocket } from './websocket.ts';

type Row = {
  /** What a release is held to, and each commit. */
  readonly perRelease: number;
  readonly perCommit: number;
  readonly run: (options: RowOptions) => RowReport | Promise<RowReport>;
};

export const rows: Readonly<Record<RowName, Row>> = {
  H1: { perRelease: 20_000, perCommit: 200, run: attackWebSocket },
  H2: { perRelease: 2_000_000, perCommit: 15_000, run: attackDecoders },
  H3: { perRelease: 20_000, perCommit: 120, run: attackGateway },
  H4: { perRelease: 100_000, perCommit: 1_100, run: attackHttp },
  H5: { perRelease: 20_000, perCommit: 600, run: attackKeys },
  H6: { perRelease: 10_000, perCommit: 120, run: attackClient },
  H7: { perRelease: 20_000, perCommit: 168, run: attackDeviceFile },
};
