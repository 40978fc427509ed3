import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { schemaText } from '../../../extauthz/policy/schema-text.ts';
import { bundleFiles } from './bundle-files.ts';
import { loadBundle } from './load-bundle.ts';

const BUNDLE = {
  'servers/crm.yaml': '{name: crm, url: "http://127.0.0.1:1/mcp"}',
  'servers/tickets.yaml': '{name: tickets, url: "http://127.0.0.1:2/mcp", tools: tickets.json}',
  'servers/tickets.json': [
    { name: 'ping', inputSchema: { type: 'object' } },
    {
      name: 'odd "name": __cedar::String',
      inputSchema: {
        type: 'object',
        properties: {
          title: { type: 'string' },
          cost: { type: 'number' },
          'odd "key': { type: 'array', items: { type: 'array', items: { type: 'integer' } } },
          place: { type: 'object', properties: { indoors: { type: 'boolean' } }, required: ['indoors'] },
        },
        required: ['title', 'place'],
      },
    },
  ],
};

describe('the schema as text', () => {
  const text = schemaText(bundleFiles(BUNDLE));

  test('is this, for these servers and tools', () => {
    assert.equal(text.ok && text.value, readFileSync(new URL('../../cases/policy/schema.cedarschema', import.meta.url), 'utf8'));
  });

  test('is a schema that Cedar takes, and that types arguments', () => {
    assert.ok(text.ok);
    const policy = `permit (principal is User, action == Action::"tickets/odd \\"name\\": __cedar::String", resource) when {
      context.input.place.indoors && context.input has cost && context.input.cost.lessThan(decimal("1.0")) };`;
    const answer = cedar.validate({ schema: text.value, policies: { staticPolicies: policy }, validationSettings: { mode: 'strict' } });
    assert.deepEqual(answer.type === 'success' && answer.validationErrors, []);
  });

  test('can be had while policies are wrong, not while servers are', () => {
    assert.equal(schemaText(bundleFiles({ ...BUNDLE, 'policies/p.cedar': 'permit' })).ok, true);
    assert.equal(schemaText(bundleFiles({ 'servers/a.yaml': 'name: a' })).ok, false);
  });
});

describe('the revision', () => {
  const { revision } = loadBundle(BUNDLE);

  test('names the content: these bytes, this revision', () => {
    assert.equal(loadBundle({ 'servers/a.yaml': '{name: a, url: "http://h/mcp"}\n' }).revision, '8f81c7b75c3aa80e');
  });

  test('does not depend on the order in which files are found', () => {
    assert.equal(loadBundle(Object.fromEntries(Object.entries(BUNDLE).reverse())).revision, revision);
  });

  test('changes with any file, its name or its content', () => {
    const revisions = [
      revision,
      loadBundle({ ...BUNDLE, 'README.md': '' }).revision,
      loadBundle({ ...BUNDLE, 'README.md': ' ' }).revision,
      loadBundle({ ...BUNDLE, 'README2.md': ' ' }).revision,
      loadBundle({ ...BUNDLE, 'README.md': '', 'a.md': '' }).revision,
      loadBundle({ ...BUNDLE, 'README.mda': '', '.md': '' }).revision,
    ];
    assert.equal(new Set(revisions).size, revisions.length);
  });
});

test('the registry gives servers with their defaults', () => {
  const { servers } = loadBundle({
    'servers/a.yaml':
      '{name: a, url: "https://h/mcp", credential: {strategy: file, path: "a/{user}", header: X-Api-Key, format: "k {secret}"}}',
    'servers/b.yaml': '{name: b, url: "http://h/mcp", credential: {strategy: file, path: shared, header: authorization}}',
    'servers/c.yaml': '{name: c, url: "http://h/mcp"}',
  });
  assert.deepEqual(
    [...servers],
    [
      [
        'a',
        {
          name: 'a',
          url: 'https://h/mcp',
          transport: 'streamable-http',
          credential: { strategy: 'file', path: 'a/{user}', header: 'x-api-key', format: 'k {secret}' },
        },
      ],
      [
        'b',
        {
          name: 'b',
          url: 'http://h/mcp',
          transport: 'streamable-http',
          credential: { strategy: 'file', path: 'shared', header: 'authorization', format: '{secret}' },
        },
      ],
      ['c', { name: 'c', url: 'http://h/mcp', transport: 'streamable-http', credential: { strategy: 'none' } }],
    ],
  );
});

test('names that look alike are remarked, not refused', () => {
  const bundle = loadBundle({ ...BUNDLE, 'policies/p.cedar': '\npermit (principal in Group::"say_һello", action, resource);' });
  assert.deepEqual(
    bundle.warnings.map(({ file, line }) => ({ file, line })),
    [{ file: 'policies/p.cedar', line: 2 }],
  );
});
