import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Everything that a run leaves in the system's folder for temporary files is in one, and goes with the run. */
export default function setup(): () => void {
  const root = mkdtempSync(join(tmpdir(), 'waxwing-tests-'));
  process.env.TMPDIR = root;
  return () => rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}
