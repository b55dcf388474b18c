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

// The tables of docs/protocol.md, written from the code. Each stands between a pair of markers in the document.

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

export const tables: Readonly<Record<string, string>> = {
  errors: errorsTable(),
  'close-codes': closeCodesTable(),
  limits: limitsTable(),
  'signature-purposes': purposesTable(),
  'key-labels': labelsTable(),
  'frame-kinds': kindsTable(),
};

const region = /<!-- table:([a-z-]+) -->([\s\S]*?)<!-- \/table -->/g;

/** The tables that a document has, by name, as they stand in it. */
export function tablesIn(document: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...document.matchAll(region)].map(([, name = '', text = '']) => [name, text.trim()]));
}

/** The document with the tables of the code in it. */
export function withTables(document: string): string {
  return document.replaceAll(region, (_, name: string) =>
    [`<!-- table:${name} -->`, tables[name] ?? 'no such table', '<!-- /table -->'].join('\n\n'),
  );
}
