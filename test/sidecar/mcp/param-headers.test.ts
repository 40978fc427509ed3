import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkParamHeaders, paramHeadersOf } from '../../../sidecar/mcp/param-headers.ts';
import { encodeHeaderValue } from '../../../sidecar/mcp/standard-headers.ts';

const SCHEMA = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    shard: { type: 'integer', 'x-mcp-header': 'Shard' },
    urgent: { type: 'boolean', 'x-mcp-header': 'Urgent' },
    place: { type: 'object', properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
    note: { type: 'string' },
  },
};
const DECLARED = paramHeadersOf(SCHEMA);

describe('declarations of parameters that fields repeat', () => {
  it('are found at any depth', () => {
    assert.deepEqual(
      DECLARED.map(({ field, path, isInteger }) => [field, path.join('.'), isInteger]),
      [
        ['mcp-param-region', 'region', false],
        ['mcp-param-shard', 'shard', true],
        ['mcp-param-urgent', 'urgent', false],
        ['mcp-param-city', 'place.city', false],
      ],
    );
  });

  const one = (property: unknown) => ({ type: 'object', properties: { a: property } });
  for (const [name, schema] of [
    ['no schema', undefined],
    ['a schema without any', one({ type: 'string' })],
    ['a number', one({ type: 'number', 'x-mcp-header': 'A' })],
    ['an object', one({ type: 'object', 'x-mcp-header': 'A' })],
    ['no type', one({ 'x-mcp-header': 'A' })],
    ['a name that is no token', one({ type: 'string', 'x-mcp-header': 'A B' })],
    ['an empty name', one({ type: 'string', 'x-mcp-header': '' })],
    ['a name that is no text', one({ type: 'string', 'x-mcp-header': 1 })],
    ['the arguments as a whole', { ...one({}), 'x-mcp-header': 'A' }],
    ['an item of a list', one({ type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } })],
    [
      'a part of an alternative',
      { ...one({ type: 'string', 'x-mcp-header': 'A' }), anyOf: [{ properties: { b: { type: 'string', 'x-mcp-header': 'B' } } }] },
    ],
    [
      'one name twice',
      { type: 'object', properties: { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } } },
    ],
  ] as const) {
    it(`leave the tool to its server: ${name}`, () => assert.deepEqual(paramHeadersOf(schema), []));
  }
});

describe('fields that repeat parameters', () => {
  const region = ['Mcp-Param-Region', 'eu'];
  for (const [name, args, fields, agree] of [
    ['the same text', { region: 'eu' }, region, true],
    ['a field in any case', { region: 'eu' }, ['MCP-PARAM-REGION', 'eu'], true],
    ['another text', { region: 'us' }, region, false],
    ['another case of the text', { region: 'EU' }, region, false],
    ['no field', { region: 'eu' }, [], false],
    ['a field twice', { region: 'eu' }, [...region, ...region], false],
    ['no argument', {}, [], true],
    ['an argument that is null', { region: null }, [], true],
    ['a field for no argument', { region: null }, region, true],
    ['no arguments at all', undefined, [], true],
    ['base64', { region: 'zürich' }, ['mcp-param-region', '=?base64?esO8cmljaA==?='], true],
    ['base64 of another text', { region: 'zurich' }, ['mcp-param-region', '=?base64?esO8cmljaA==?='], false],
    ['broken base64', { region: '=?base64?e?=' }, ['mcp-param-region', '=?base64?e?='], false],
    ['an integer', { shard: 42 }, ['mcp-param-shard', '42'], true],
    ['an integer in another form', { shard: 42 }, ['mcp-param-shard', '42.0'], true],
    ['another integer', { shard: 42 }, ['mcp-param-shard', '43'], false],
    ['an integer in a form that is none', { shard: 16 }, ['mcp-param-shard', '0x10'], false],
    ['an empty field for zero', { shard: 0 }, ['mcp-param-shard', ''], false],
    ['an integer that is written as text', { shard: '42' }, ['mcp-param-shard', '42'], true],
    ['an integer that parsers read differently', { shard: 2 ** 53 }, [], true],
    ['a boolean', { urgent: true }, ['mcp-param-urgent', 'true'], true],
    ['another boolean', { urgent: true }, ['mcp-param-urgent', 'True'], false],
    ['one inside another', { place: { city: 'bern' } }, ['mcp-param-city', 'bern'], true],
    ['one inside another, missing', { place: { city: 'bern' } }, [], false],
    ['one inside what is no object', { place: 'bern' }, [], true],
    ['a key of every object', { place: { constructor: 1 } }, [], true],
    ['a field that nobody declared', { note: 'a' }, ['mcp-param-note', 'b'], true],
  ] as const) {
    it(`${agree ? 'agree' : 'do not agree'}: ${name}`, () => {
      assert.equal(checkParamHeaders([...fields], DECLARED, args).ok, agree);
    });
  }

  it('agree however a text is encoded for them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.ok(checkParamHeaders(['mcp-param-region', encodeHeaderValue(text)], DECLARED, { region: text }).ok);
        assert.ok(!checkParamHeaders(['mcp-param-region', encodeHeaderValue(`${text}x`)], DECLARED, { region: text }).ok);
      }),
    );
  });
});
