/** What a client does when the relay closes: 41xx connect again, 42xx again with a fresh token, 43xx stay away. */
export type CloseClass = 'retry' | 'reauthenticate' | 'terminal';

/** WebSocket close codes by name. The close reason is the code of the error table. */
export const closeCodes = {
  going_away: 4100,
  slow_reader: 4101,
  heartbeat_lost: 4102,
  overloaded: 4103,
  rate_limited: 4104,
  needs_auth: 4200,
  malformed: 4300,
  too_large: 4301,
  unexpected: 4302,
  displaced: 4303,
  cloned: 4304,
  unsupported_version: 4305,
  device_removed: 4306,
} as const;

export type CloseName = keyof typeof closeCodes;

/** Codes outside 42xx and 43xx, the standard ones among them, mean that the connection was lost: retry. */
export function closeClass(code: number): CloseClass {
  if (code >= 4200 && code < 4300) return 'reauthenticate';
  if (code >= 4300 && code < 4400) return 'terminal';
  return 'retry';
}
