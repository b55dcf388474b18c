import ts from 'typescript';

const globals = new Set(['setTimeout', 'setInterval', 'performance']);
const members: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  Math: ['random'],
  process: ['hrtime', 'uptime'],
  crypto: ['getRandomValues', 'randomUUID'],
};
const fromModules: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': [
    'randomBytes',
    'randomUUID',
    'randomInt',
    'randomFill',
    'randomFillSync',
    'getRandomValues',
    'webcrypto',
  ],
  'node:timers': ['setTimeout', 'setInterval'],
  'node:timers/promises': ['setTimeout', 'setInterval'],
  'node:perf_hooks': ['performance'],
};

/** Where a source reads a clock, a timer or a random source by itself: each as `line: what`. */
export function ambientReads(text: string): string[] {
  const file = ts.createSourceFile('source.ts', text, ts.ScriptTarget.ES2023, true);
  const found: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    found.push(`${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const object = node.expression.text;
      if (members[object]?.includes(node.name.text)) report(node, `${object}.${node.name.text}`);
    }
    if (
      ts.isPropertyAccessExpression(node) &&
      ts.isIdentifier(node.name) &&
      node.expression.getText() === 'globalThis'
    ) {
      if (globals.has(node.name.text)) report(node, node.name.text);
    }
    if (ts.isIdentifier(node) && globals.has(node.text) && isGlobalUse(node)) report(node, node.text);
    const isDate = (ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === 'Date';
    if (isDate && (node.arguments?.length ?? 0) === 0) report(node, 'new Date()');
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const forbidden = fromModules[node.moduleSpecifier.text] ?? [];
      const named = node.importClause?.namedBindings;
      if (forbidden.length > 0 && named && ts.isNamespaceImport(named)) report(node, 'a whole module');
      for (const name of named && ts.isNamedImports(named) ? named.elements : []) {
        const imported = (name.propertyName ?? name.name).text;
        if (forbidden.includes(imported)) report(name, imported);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Whether an identifier stands for the global, and not for a member, a parameter, or something declared under that name. */
function isGlobalUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return parent.expression === node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return false;
}
