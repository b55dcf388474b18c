// npm run docs:report: builds the packages and takes their public surface, as it is now, for what it should be.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiReport, reported } from './api-report.ts';
import { root } from './sources.ts';

mkdirSync(join(root, 'docs/api'), { recursive: true });
for (const name of reported) writeFileSync(join(root, 'docs/api', `${name}.api.md`), apiReport(join(root, name)));
