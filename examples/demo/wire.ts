/** A message as a history has it, or what is wrong there: a hole's reason, or an alert. */
export type HistoryEntry =
  { readonly id: string; readonly text: string; readonly status: string } | { readonly hole: string };

/** What a person's process says. */
export type Told =
  | { readonly type: 'here'; readonly account: string }
  | { readonly type: 'online' }
  | { readonly type: 'received'; readonly id: string; readonly text: string }
  | { readonly type: 'status'; readonly id: string; readonly status: string }
  | { readonly type: 'history'; readonly items: readonly HistoryEntry[] };

/** What it is told to do. */
export type Command =
  | { readonly type: 'say'; readonly to: string; readonly text: string }
  | { readonly type: 'history'; readonly with: string }
  | { readonly type: 'quit' };

export function readTold(line: string): Told {
  const said = fields(line);
  switch (said.type) {
    case 'here':
      return { type: 'here', account: text(said, 'account') };
    case 'online':
      return { type: 'online' };
    case 'received':
      return { type: 'received', id: text(said, 'id'), text: text(said, 'text') };
    case 'status':
      return { type: 'status', id: text(said, 'id'), status: text(said, 'status') };
    case 'history':
      return { type: 'history', items: Array.isArray(said.items) ? said.items.map(readEntry) : [] };
    default:
      throw new Error(`not understood: ${line}`);
  }
}

export function readCommand(line: string): Command {
  const said = fields(line);
  switch (said.type) {
    case 'say':
      return { type: 'say', to: text(said, 'to'), text: text(said, 'text') };
    case 'history':
      return { type: 'history', with: text(said, 'with') };
    case 'quit':
      return { type: 'quit' };
    default:
      throw new Error(`not understood: ${line}`);
  }
}

function readEntry(value: unknown): HistoryEntry {
  const entry = record(value);
  return 'hole' in entry
    ? { hole: text(entry, 'hole') }
    : { id: text(entry, 'id'), text: text(entry, 'text'), status: text(entry, 'status') };
}

function fields(line: string): Readonly<Record<string, unknown>> {
  return record(JSON.parse(line));
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return { ...value };
}

function text(from: Readonly<Record<string, unknown>>, field: string): string {
  const value = from[field];
  if (typeof value !== 'string') throw new Error(`${field} is no text`);
  return value;
}
