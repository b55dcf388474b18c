import { readFileSync } from 'node:fs';

/** The version of this package, from its manifest, which lies above the sources and above what is built of them. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const hasVersion = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  if (!hasVersion || typeof manifest.version !== 'string') throw new TypeError('the manifest has no version');
  return manifest.version;
}
