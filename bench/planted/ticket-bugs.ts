import type { PlantedBug } from './bugs.ts';

const check = 'keyserver/src/tickets/check-ticket.ts';
const keys = 'keyserver/src/tickets/ticket-keys.ts';
const keySet = 'keyserver/src/tickets/key-set.ts';
const load = 'keyserver/src/tickets/load-key-set.ts';
const tickets = (name: string) => ({ file: 'test/unit/keyserver/tickets.test.ts', name });
const ticketKeys = (name: string) => ({ file: 'test/unit/keyserver/ticket-keys.test.ts', name });
const stored = (adapter: string) => ({ file: `test/contract/storage.${adapter}.test.ts`, name: 'tickets:' });

/** Registration by ticket, without one of its defences. */
export const ticketBugs: readonly PlantedBug[] = [
  {
    name: 'ticket: of any issuer',
    file: check,
    find: '        issuer: o.issuer,\n',
    put: '',
    test: tickets('a foreign issuer'),
  },
  {
    name: 'ticket: for any server',
    file: check,
    find: '        audience: [...o.origins],\n',
    put: '',
    test: tickets('audience'),
  },
  {
    name: 'ticket: past its time',
    file: check,
    find: 'limits.ticketToleranceMs / 1_000,',
    put: '3_600,',
    test: tickets('past its time'),
  },
  {
    name: 'ticket: lives as long as it likes',
    file: check,
    find: 'if (livesTooLong || isAhead)',
    put: 'if (isAhead)',
    test: tickets('lives too long'),
  },
  {
    name: 'ticket: from the future',
    file: check,
    find: 'if (livesTooLong || isAhead)',
    put: 'if (livesTooLong)',
    test: tickets('from the future'),
  },
  {
    name: 'ticket: with an id of any length',
    file: check,
    find: ' || Buffer.byteLength(jti) > limits.ticketIdMaxBytes',
    put: '',
    test: tickets('too long'),
  },
  {
    name: 'ticket: signed by anybody',
    file: check,
    find: '      claims = payload;',
    put: '      claims = payload;\n    } catch {\n      claims = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString());\n    }\n    try {\n      void 0;',
    test: tickets('that no key of the issuer signed'),
  },
  {
    name: 'ticket: used again after the clock was set back',
    file: check,
    find: ' + limits.ticketKeptMs;',
    put: ';',
    test: tickets('set back'),
  },
  {
    name: 'ticket: needed for what was made already',
    file: 'keyserver/src/routes/accounts.ts',
    find: 'if (stored && sameBytes(stored.signed, signed)) return',
    put: 'if (stored && signed.length === 0) return',
    test: tickets('has the same answer'),
  },
  {
    name: 'ticket: lets in any number, in memory',
    file: 'storage/src/memory/directory.ts',
    find: 'if (ticket) useUp(ticket);',
    put: 'void useUp;',
    test: stored('memory'),
  },
  {
    name: 'ticket: used up by a refusal, in memory',
    file: 'storage/src/memory/directory.ts',
    find: "if (ticket && isUsed(ticket)) return 'ticket_used';",
    put: "if (ticket && isUsed(ticket)) return 'ticket_used';\n    if (ticket) useUp(ticket);",
    test: stored('memory'),
  },
  {
    name: 'ticket: lets in any number, on disk',
    file: 'storage/src/sqlite/directory-file.ts',
    find: 'if (ticket) usedTickets.add(ticket);',
    put: 'void usedTickets.add;',
    test: stored('sqlite'),
  },
  {
    name: 'ticket: kept for ever on disk',
    file: 'storage/src/sqlite/used-tickets.ts',
    find: 'WHERE keep_until_ms <= ? LIMIT',
    put: 'WHERE keep_until_ms <= 0 * ? LIMIT',
    test: { file: 'test/unit/storage/sqlite-tickets.test.ts', name: '' },
  },
  {
    name: 'keys of tickets: unknown for good while a rotation may be under way',
    file: keys,
    find: 'if (begins && isLoaded === true)',
    put: 'if (begins || isLoaded !== true)',
    test: ticketKeys('rotated in'),
  },
  {
    name: 'keys of tickets: loaded as often as anybody asks',
    file: keys,
    find: 'loading === undefined && waitMs === 0',
    put: 'loading === undefined && waitMs >= 0',
    test: ticketKeys('every ten seconds'),
  },
  {
    name: 'keys of tickets: gone while the JWKS is down',
    file: keys,
    find: 'known(kid, limits.ticketKeysMaxAgeMs)',
    put: 'known(kid, limits.ticketKeysFreshMs)',
    test: ticketKeys('go on while'),
  },
  {
    name: 'keys of tickets: used for a day after they were taken away',
    file: keys,
    find: 'known(kid, limits.ticketKeysFreshMs)',
    put: 'known(kid, limits.ticketKeysMaxAgeMs)',
    test: ticketKeys('rotated out'),
  },
  {
    name: 'keys of tickets: a set with a secret in it',
    file: keySet,
    find: 'jwk.d !== undefined || jwk.k !== undefined',
    put: 'jwk.d === jwk',
    test: ticketKeys('secret'),
  },
  {
    name: 'keys of tickets: of any algorithm that they say',
    file: keySet,
    find: 'if (alg !== undefined && !algorithms.some((known) => known === alg)) return undefined;',
    put: 'void alg;',
    test: ticketKeys('for its own algorithm'),
  },
  {
    name: 'keys of tickets: the last of two with one kid',
    file: keySet,
    find: "if (keys.has(jwk.kid)) return { wrong: 'has two keys with one kid' };",
    put: '',
    test: ticketKeys('one kid twice'),
  },
  {
    name: 'keys of tickets: wherever a redirect leads',
    file: load,
    find: "redirect: 'error'",
    put: "redirect: 'follow'",
    test: ticketKeys('a redirect'),
  },
  {
    name: 'keys of tickets: of any size',
    file: load,
    find: "if (bytes > limits.ticketKeySetMaxBytes) throw new AnswerFault('is too large');",
    put: '',
    test: ticketKeys('a body over its size'),
  },
  {
    name: 'keys of tickets: waited for without end',
    file: load,
    find: "abort.abort(new Error('no answer in time'))",
    put: 'void 0',
    test: ticketKeys('given up in time'),
  },
  {
    name: 'client: one ticket for all tries',
    file: 'client-core/src/registration.ts',
    find: 'if (ticket !== undefined && ticket === refused)',
    put: 'if (ticket === "")',
    test: { file: 'test/scenario/client-tickets.test.ts', name: 'with no other to be had' },
  },
];
