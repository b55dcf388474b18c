import { quantile, type Figures } from './measure.ts';
import { mediansOf, type Floor, type Row } from './rows.ts';

/** What all runs of a row found. */
export type RowReport = {
  readonly row: string;
  readonly title: string;
  readonly runs: { readonly bare: readonly Figures[]; readonly waxwing: readonly Figures[] };
  readonly floors: readonly (Floor & { readonly holds: boolean })[];
  /** Microseconds of processor time of each part, per message, and what they are a part of. */
  readonly parts?: Readonly<Record<string, number>>;
};

export function reportOf(name: string, row: Row, runs: RowReport['runs'], parts?: RowReport['parts']): RowReport {
  const floors = row.floors(mediansOf(runs.waxwing), mediansOf(runs.bare)).map((floor) => {
    const holds = floor.value >= (floor.least ?? -Infinity) && floor.value <= (floor.most ?? Infinity);
    return { ...floor, holds };
  });
  return { row: name, title: row.title, runs, floors, ...(parts && { parts }) };
}

const units: Readonly<Record<string, string>> = {
  perSecond: 'messages/s',
  cpuUs: 'µs CPU per message',
  serverBusy: 'server busy',
  generatorBusy: 'generator busy',
  drainPerSecond: 'drained/s',
  drainCpuUs: 'µs CPU per drained',
  stored: 'stored',
  lost: 'lost',
  entries: 'entries',
  connectsPerSecond: 'connects/s',
  connectCpuUs: 'µs CPU per connect',
  kibEach: 'KiB each',
  idleBusy: 'busy while idle',
  p50Ms: 'p50, ms',
  p99Ms: 'p99, ms',
  loopP99Ms: 'event-loop delay p99, ms',
  delayedCalls: 'delayed calls',
};

/** The reports as tables of Markdown: medians, with the range of all runs. */
export function tables(reports: readonly RowReport[]): string {
  const figures = reports.flatMap((report) => [
    ...lines(report, 'bare', report.runs.bare),
    ...lines(report, 'waxwing', report.runs.waxwing),
  ]);
  const floors = reports.flatMap(({ row, floors: all }) =>
    all.map(({ name, value, least, most, aim, holds }) => {
      const floor = least === undefined ? `≤ ${most ?? ''}` : `≥ ${least}`;
      return `| ${row} | ${name} | ${shown(value)} | ${floor} | ${aim ?? ''} | ${holds ? 'yes' : '**no**'} |`;
    }),
  );
  const profiled = reports.flatMap(({ row, parts }) => (parts ? [[row, parts] as const] : []));
  const names = [...new Set(profiled.flatMap(([, parts]) => Object.keys(parts)))].sort();
  return [
    ...reports.map(({ row, title }) => `- \`${row}\`: ${title}`),
    '',
    ...table(['row', 'what', 'figure', 'floor', 'aim', 'holds'], floors),
    '',
    ...table(['row', 'server', 'figure', 'median', 'range', 'runs'], figures),
    ...(profiled.length === 0
      ? []
      : ['', 'Processor time of the relay by part, µs per message, from one more run under the profiler:', '']),
    ...(profiled.length === 0
      ? []
      : table(
          ['row', ...names],
          profiled.map(([row, parts]) => `| ${row} | ${names.map((name) => shown(parts[name] ?? 0)).join(' | ')} |`),
        )),
  ].join('\n');
}

function table(head: readonly string[], lines: readonly string[]): string[] {
  return [`| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`, ...lines];
}

function lines({ row }: RowReport, kind: string, runs: readonly Figures[]): string[] {
  return Object.keys(runs[0] ?? {}).map((name) => {
    const values = runs.map((figures) => figures[name] ?? NaN);
    const range = `${shown(Math.min(...values))} – ${shown(Math.max(...values))}`;
    return `| ${row} | ${kind} | ${units[name] ?? name} | ${shown(quantile(values, 0.5))} | ${range} | ${runs.length} |`;
  });
}

function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : `${Number(value.toPrecision(3))}`;
}
