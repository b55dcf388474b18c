import { createHash } from 'node:crypto';

/** Every form in which a text could lie in bytes without being encrypted. */
function forms(text: string): [string, Buffer][] {
  const utf8 = Buffer.from(text);
  const utf16 = Buffer.from(text, 'utf16le');
  const digest = createHash('sha256').update(utf8).digest();
  return [
    ['utf-8', utf8],
    ['utf-16le', utf16],
    ['utf-16be', Buffer.from(utf16).swap16()],
    ['hex', Buffer.from(utf8.toString('hex'))],
    ['upper hex', Buffer.from(utf8.toString('hex').toUpperCase())],
    ['sha-256', digest],
    ['sha-256 hex', Buffer.from(digest.toString('hex'))],
    ...base64s(digest).map((form): [string, Buffer] => ['sha-256 base64', form]),
    ...base64s(utf8).map((form): [string, Buffer] => ['base64', form]),
  ];
}

/** The characters that the bytes' base64 has wherever they begin in a longer text: the three alignments, both alphabets. */
function base64s(bytes: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const sure = text.slice(Math.ceil((shift * 4) / 3), text.length - 1);
    return [Buffer.from(sure), Buffer.from(sure.replaceAll('+', '-').replaceAll('/', '_'))];
  });
}

/** Where which canary lies, and in which form. */
export function findCanaries(canaries: readonly string[], places: ReadonlyMap<string, Buffer>): string[] {
  return canaries.flatMap((canary) =>
    forms(canary).flatMap(([form, bytes]) =>
      [...places].filter(([, content]) => content.includes(bytes)).map(([place]) => `${canary} as ${form} in ${place}`),
    ),
  );
}
