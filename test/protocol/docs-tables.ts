import {
  closeClass,
  closeCodes,
  downBatchMaxBytes,
  envelopeMaxBytes,
  errorRow,
  errors,
  frameKinds,
  isErrorCode,
  keyLabels,
  limits,
  signaturePurposes,
} from '@waxwing/protocol';
import * as client from '../../client-core/src/errors.ts';

// The tables of the documents, written from the code. Each stands between a pair of markers in its document.

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, 3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

const code = (text: string) => `\`${text}\``;

function errorsTable(): string {
  const rows = Object.keys(errors)
    .filter(isErrorCode)
    .map((name) => {
      const { retry, status, close, meaning } = errorRow(name);
      return [code(name), retry, status?.toString() ?? '', close ? closeCodes[close].toString() : '', meaning];
    });
  return table(['code', 'retry', 'HTTP', 'close', 'meaning'], rows);
}

/** The classes that `client` exports for one code each, by that code. */
function errorClasses(): ReadonlyMap<string, string> {
  const several: readonly unknown[] = [client.WaxwingError, client.SendFailedError];
  const made = Object.entries(client).flatMap(([name, value]) => {
    if (typeof value !== 'function' || several.includes(value)) return [];
    const error: unknown = Reflect.construct(value, []);
    return error instanceof client.WaxwingError ? [[error.code, name] as const] : [];
  });
  return new Map<string, string>(made);
}

function clientErrorsTable(): string {
  const classes = errorClasses();
  const rows = Object.entries(client.clientErrors).map(([name, { retry, meaning }]) => {
    const named = classes.get(name);
    return [code(name), named === undefined ? '' : code(named), retry, meaning];
  });
  return table(['code', 'class', 'retry', 'meaning'], rows);
}

function closeCodesTable(): string {
  return table(
    ['code', 'name', 'class'],
    Object.entries(closeCodes).map(([name, number]) => [number.toString(), code(name), closeClass(number)]),
  );
}

const units = {
  Ms: [
    [24 * 3_600_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ],
  Bytes: [
    [1_024 * 1_024, 'MiB'],
    [1_024, 'KiB'],
  ],
} as const;

/** The value in the largest unit that it is a whole number of, beyond one. */
function inWords(name: string, value: number): string {
  const unit = name.endsWith('Ms') ? units.Ms : name.endsWith('Bytes') || name === 'batchBytes' ? units.Bytes : [];
  const largest = unit.find(([size]) => value >= size && value % size === 0);
  if (largest) return `${value / largest[0]} ${largest[1]}`;
  return name.endsWith('Ms') ? `${value} ms` : name.endsWith('Bytes') ? `${value} bytes` : '';
}

function limitsTable(): string {
  const all = { ...limits, envelopeMaxBytes, downBatchMaxBytes };
  return table(
    ['limit', 'value', 'that is'],
    Object.entries(all).map(([name, value]) => [code(name), value.toString(), inWords(name, value)]),
  );
}

function purposesTable(): string {
  return table(
    ['purpose', 'what is signed begins with'],
    signaturePurposes.map((purpose) => [code(purpose), code(`waxwing/v1/${purpose}\\0`)]),
  );
}

function labelsTable(): string {
  return table(
    ['name', 'label'],
    Object.entries(keyLabels).map(([name, label]) => [code(name), code(label)]),
  );
}

function kindsTable(): string {
  return table(
    ['kind', 'name'],
    Object.entries(frameKinds).map(([name, kind]) => [kind.toString(), code(name)]),
  );
}

/** Every document with tables of the code, and the tables that it has. */
export const documents: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/protocol.md': {
    errors: errorsTable(),
    'close-codes': closeCodesTable(),
    limits: limitsTable(),
    'signature-purposes': purposesTable(),
    'key-labels': labelsTable(),
    'frame-kinds': kindsTable(),
  },
  'docs/errors.md': { 'client-errors': clientErrorsTable() },
};

const region = /<!-- table:([a-z-]+) -->([\s\S]*?)<!-- \/table -->/g;

/** The tables that a document has, by name, as they stand in it. */
export function tablesIn(document: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...document.matchAll(region)].map(([, name = '', text = '']) => [name, text.trim()]));
}

/** The document with these tables in it. */
export function withTables(document: string, tables: Readonly<Record<string, string>>): string {
  return document.replaceAll(region, (_, name: string) =>
    [`<!-- table:${name} -->`, tables[name] ?? 'no such table', '<!-- /table -->'].join('\n\n'),
  );
}
