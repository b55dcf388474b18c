/**
 * The arrow rule: who may know whom. `npm run arrows` holds the sources to it; test/architecture/arrows.test.ts shows that
 * each rule catches what it forbids.
 */
const ours = ['protocol', 'storage', 'keyserver', 'relay', 'client-core', 'cli'];
/** Also what is packed out of `test`. */
const packed = [...ours, 'test/kit'].join('|');

/** A workspace or a folder of the root that is not among `allowed`, by path or by package name. */
function anyOfOursBut(...allowed) {
  const others = [...ours, 'test', 'bench', 'examples'].filter((name) => !allowed.includes(name)).join('|');
  return [`^(${others})/`, `^(node_modules/)?@waxwing/(${others}|testing)(/|$)`];
}

function arrow(from, allowed, why) {
  return {
    name: `${from}-knows-${allowed.join('-') || 'nobody'}`,
    comment: why,
    severity: 'error',
    from: { path: `^${from}/src/` },
    to: { path: anyOfOursBut(from, ...allowed) },
  };
}

const libsignal = '(^|/)node_modules/@signalapp/libsignal-client(/|$)|^@signalapp/libsignal-client';
const inputAndOutput = '(^|/)node_modules/(ws|@signalapp/sqlcipher|@signalapp/libsignal-client)(/|$)|^(ws|@signalapp/)';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    arrow('protocol', [], 'The contract of the wire stands on its own: both sides read it.'),
    arrow('storage', ['protocol'], 'A store keeps what the protocol names and knows no server.'),
    arrow('keyserver', ['storage', 'protocol'], 'Keyserver and relay meet in the store, never in each other.'),
    arrow('relay', ['storage', 'protocol'], 'Relay and keyserver meet in the store, never in each other.'),
    arrow('client-core', ['protocol'], 'Installing the client brings no server package.'),
    arrow('cli', ['protocol', 'storage', 'keyserver', 'relay', 'client-core'], 'Shipped code imports no tests.'),
    {
      name: 'testing-composes-the-parts',
      comment: 'Apps install it for their tests: it brings what it puts together, and none of our own tests.',
      severity: 'error',
      from: { path: '^test/kit/src/' },
      to: { path: ['^(test/(?!kit/)|cli/|bench/|examples/)', '^(node_modules/)?@waxwing/cli(/|$)'] },
    },
    {
      name: 'workspaces-meet-at-their-index',
      comment: 'What a workspace does not export is its own.',
      severity: 'error',
      from: { path: `^(${packed})/src/` },
      to: { path: `^(${ours.join('|')})/src/.`, pathNot: ['^$1/src/', '^[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'libsignal-has-two-rooms',
      comment: 'Keys are handled in one folder of the client; the keyserver only verifies, in one folder too.',
      severity: 'error',
      from: { path: '.', pathNot: '^(client-core/src/session|keyserver/src/libsignal)/' },
      to: { path: libsignal },
    },
    {
      name: 'sync-is-pure',
      comment: 'What decides order, holes and repair runs on any clock and any disk: it reaches none by itself.',
      severity: 'error',
      from: { path: '^client-core/src/sync/' },
      to: { path: inputAndOutput },
    },
    {
      name: 'sync-is-pure-of-node',
      comment: 'The same for what Node brings.',
      severity: 'error',
      from: { path: '^client-core/src/sync/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that import each other are one file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'could-not-resolve',
      comment: 'An import that is not found is an import that no rule above sees.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'shipped-code-lists-what-it-imports',
      comment:
        'A package that only development has, or that is in no package.json, is missing where this is installed.',
      severity: 'error',
      // What ends in .dev.mjs runs from the sources only: it is neither built nor packed.
      from: { path: `^(${packed})/src/`, pathNot: '\\.dev\\.mjs$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Anchored: an unanchored dist would also leave out node_modules/@signalapp/libsignal-client/dist, and its rule with it.
    exclude: { path: `^(${packed})/dist/` },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['waxwing-source', 'import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
