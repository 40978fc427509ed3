import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOL_VERSIONS } from '../../sidecar/mcp/protocol-version.ts';
import { REVISIONS, type Revision, tableMethods } from './method-table.ts';
import { methodsOfJsonSchema, type SchemaMethod, type SchemaMethods, SDK_METHODS, specificationSchemas } from './schema-methods.ts';

/** 2025-03-26 brought no method: what it has, 2024-11-05 has, whose schema is not published in the same form. */
const SCHEMA_OF: Readonly<Record<Revision, string>> = {
  '2024-11-05': '2025-03-26',
  '2025-03-26': '2025-03-26',
  '2025-06-18': '2025-06-18',
  '2025-11-25': '2025-11-25',
  '2026-07-28': '2026-07-28',
};

/** Methods outside the core schema, which an extension of 2026-07-28 defines (`io.modelcontextprotocol/tasks`, SEP-2663). */
const EXTENSION_METHODS: readonly SchemaMethod[] = [
  { sender: 'client', kind: 'request', method: 'tasks/get' },
  { sender: 'client', kind: 'request', method: 'tasks/update' },
  { sender: 'client', kind: 'request', method: 'tasks/cancel' },
  { sender: 'server', kind: 'notification', method: 'notifications/tasks' },
];

const textOf = ({ sender, kind, method }: SchemaMethod) => `${kind} of the ${sender}: ${method}`;

/** What a schema has and a table has not. */
function missing({ sent, named }: SchemaMethods, rows: readonly SchemaMethod[]): readonly string[] {
  const known = new Set(rows.map(textOf));
  const names = new Set(rows.map(({ method }) => method));
  return [...sent.map(textOf).filter((text) => !known.has(text)), ...named.filter((method) => !names.has(method))];
}

const schemas = specificationSchemas();
const schemaOf = (revision: Revision) => {
  const schema = schemas.get(SCHEMA_OF[revision]);
  assert.ok(schema, revision);
  return methodsOfJsonSchema(schema);
};

describe('the methods table', () => {
  it('has the revisions that the sidecar knows', () => {
    assert.deepEqual(REVISIONS, PROTOCOL_VERSIONS);
  });

  for (const revision of REVISIONS) {
    it(`has a row for each method of the schema of ${revision}`, () => {
      const methods = schemaOf(revision);
      assert.ok(methods.sent.length >= 18, 'the schema was read');
      assert.deepEqual(missing(methods, tableMethods(revision)), []);
    });

    it(`has no row that ${revision} does not have`, () => {
      const methods = schemaOf(revision);
      const known = new Set([...methods.sent, ...(revision === '2026-07-28' ? EXTENSION_METHODS : [])].map(textOf));
      // Since 2026-07-28 servers ask inside results; the schema still names the methods.
      const inResults = methods.named.filter((method) => !methods.sent.some((sent) => sent.method === method));
      const rows = tableMethods(revision).filter((row) => !(row.sender === 'server' && inResults.includes(row.method)));
      assert.deepEqual(
        rows.map(textOf).filter((text) => !known.has(text)),
        [],
      );
    });
  }

  for (const [name, methods] of SDK_METHODS) {
    it(`has a row for each method that ${name} knows`, () => {
      assert.ok(methods.sent.length >= 32, 'the schemas were read');
      const rows = REVISIONS.flatMap((revision) => tableMethods(revision));
      assert.deepEqual(missing(methods, rows), []);
    });
  }

  it('is found wanting when a schema gains a method', () => {
    const newest = schemas.get('2026-07-28');
    const { ClientRequest, ...others } = newest?.$defs ?? {};
    const gained = methodsOfJsonSchema({
      $defs: {
        ...others,
        ClientRequest: { anyOf: [...(ClientRequest?.anyOf ?? []), { $ref: '#/$defs/NewRequest' }] },
        NewRequest: { properties: { method: { const: 'tools/new' } } },
      },
    });
    assert.deepEqual(missing(gained, tableMethods('2026-07-28')), ['request of the client: tools/new', 'tools/new']);
    const notSent = methodsOfJsonSchema({ $defs: { NewRequest: { properties: { method: { const: 'tools/new' } } } } });
    assert.deepEqual(missing(notSent, tableMethods('2026-07-28')), ['tools/new']);
  });
});
