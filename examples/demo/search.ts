import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Found = { readonly file: string; readonly form: string };

/** Every file below a folder, with its bytes. */
export function filesBelow(folder: string): { readonly file: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, bytes: readFileSync(file) }));
}

/** Where these bytes stand in the files: as they are, or as base64 or hex in which they were written. */
export function find(bytes: Buffer, files: ReturnType<typeof filesBelow>): Found[] {
  return files.flatMap(({ file, bytes: content }) =>
    formsOf(bytes)
      .filter(({ needle }) => content.includes(needle))
      .map(({ form }) => ({ file, form })),
  );
}

/** Where a text stands in the files, in UTF-8 or UTF-16. */
export function findText(text: string, files: ReturnType<typeof filesBelow>): Found[] {
  return [...find(Buffer.from(text, 'utf8'), files), ...find(Buffer.from(text, 'utf16le'), files)];
}

function formsOf(bytes: Buffer): { readonly form: string; readonly needle: Buffer }[] {
  const hex = bytes.toString('hex');
  // Inside a longer base64 text the bytes may begin at any of three places; the characters that they share are cut off.
  const base64 = [0, 1, 2].flatMap((skip) => {
    const whole = bytes.subarray((3 - skip) % 3);
    const needle = whole.subarray(0, whole.length - (whole.length % 3)).toString('base64');
    return [needle, needle.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [
    { form: 'plain', needle: bytes },
    { form: 'hex', needle: Buffer.from(hex) },
    { form: 'hex', needle: Buffer.from(hex.toUpperCase()) },
    ...[...new Set(base64)].map((needle) => ({ form: 'base64', needle: Buffer.from(needle) })),
  ];
}
