import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { type InputType, inputTypeOf } from '../../../extauthz/policy/input-type.ts';

const CASES = new URL('../../cases/policy/input-types/schemas.yaml', import.meta.url);

describe('what policy can read of a JSON schema', () => {
  for (const { name, schema, want } of parse(readFileSync(CASES, 'utf8')) as { name: string; schema: unknown; want: string | null }[]) {
    test(name, () => {
      const type = inputTypeOf(schema);
      assert.equal(type === undefined ? null : written(type), want);
    });
  }

  test('a property named __proto__ is a property', () => {
    const type = inputTypeOf(JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}},"required":["__proto__"]}'));
    assert.equal(type && written(type), '{__proto__: String}');
  });

  test('nesting ends somewhere', () => {
    let schema: object = { type: 'string' };
    for (let depth = 0; depth < 40; depth += 1) schema = { type: 'object', properties: { a: schema } };
    const type = inputTypeOf(schema);
    assert.equal((type && written(type))?.match(/a\?/g)?.length, 16);
  });

  test('references that double at every step do not take forever: the arguments cannot be read', () => {
    const $defs: Record<string, object> = { d0: { type: 'string' } };
    for (let step = 1; step <= 14; step += 1) {
      const previous = { $ref: `#/$defs/d${step - 1}` };
      $defs[`d${step}`] = { type: 'object', properties: { a: previous, b: previous } };
    }
    assert.equal(inputTypeOf({ type: 'object', $defs, properties: { x: { $ref: '#/$defs/d7' } } })?.attributes.size, 1);
    assert.equal(
      inputTypeOf({ type: 'object', $defs, properties: Object.fromEntries(manyNames.map((name) => [name, { $ref: '#/$defs/d7' }])) }),
      undefined,
    );
  });
});

const manyNames = Array.from({ length: 100 }, (_, index) => `p${index}`);

/** `{name: String, tags?: Set<Long>}`; `!` after a record that allows nothing else. */
function written(type: InputType): string {
  switch (type.kind) {
    case 'string':
      return 'String';
    case 'long':
      return 'Long';
    case 'boolean':
      return 'Bool';
    case 'decimal':
      return 'decimal';
    case 'set':
      return `Set<${written(type.element)}>`;
    case 'record': {
      const attributes = [...type.attributes].map(
        ([name, { type: inner, required }]) => `${name}${required ? '' : '?'}: ${written(inner)}`,
      );
      return `{${attributes.join(', ')}}${type.closed ? '!' : ''}`;
    }
  }
}
