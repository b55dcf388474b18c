import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createFixture } from './keyserver-fixture.ts';

type Operation = { requestBody?: { content: Record<string, { schema: object }> }; responses: Record<string, unknown> };
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };

test('the checked-in document is what the server says of itself (write it anew: keyserver/scripts/openapi.ts)', async () => {
  const f = await createFixture();
  const served: unknown = (await f.open('GET', '/openapi.json')).json();
  const file: unknown = JSON.parse(readFileSync(new URL('../../../keyserver/openapi.json', import.meta.url), 'utf8'));
  expect(file).toEqual(served);
});

test('every route is in the document, with its problems, and every object that it takes is closed', async () => {
  const f = await createFixture();
  const document = (await f.open('GET', '/openapi.json')).json<Document>();
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
  );
  expect(operations.map(({ name }) => name).sort()).toEqual([
    'delete /v1/username',
    'get /.well-known/waxwing',
    'get /v1/accounts/{id}/device-list',
    'get /v1/prekeys/count',
    'post /v1/accounts',
    'post /v1/bundles',
    'post /v1/prekeys/check',
    'post /v1/usernames/lookup',
    'put /v1/device-list',
    'put /v1/prekeys',
    'put /v1/username',
  ]);
  for (const { name, operation } of operations) {
    expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['4XX', '5XX']));
    for (const { schema } of Object.values(operation.requestBody?.content ?? {})) expectClosed(schema, name);
  }
});

/** Objects take no other fields, arrays and texts have a length, numbers a range. */
function expectClosed(schema: object, where: string): void {
  const { type, properties, items, ...rest } = schema as {
    type: string;
    properties?: Record<string, object>;
    items?: object;
  };
  const bounds: Record<string, string[]> = {
    object: ['additionalProperties'],
    array: ['maxItems'],
    string: ['maxLength', 'pattern'],
    integer: ['minimum', 'maximum'],
  };
  for (const bound of bounds[type] ?? ['a known type']) expect(rest, `${where}: ${type}`).toHaveProperty(bound);
  if (items) expectClosed(items, where);
  for (const [name, property] of Object.entries(properties ?? {})) expectClosed(property, `${where}.${name}`);
}
