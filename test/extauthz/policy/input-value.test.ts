import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import cedar, { type SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { cedarTypeOf, inputTypeOf } from '../../../extauthz/policy/input-type.ts';
import { convertArguments } from '../../../extauthz/policy/input-value.ts';

const record = (properties: Record<string, object>) => {
  const type = inputTypeOf({ type: 'object', properties });
  if (type === undefined) throw new Error('not a record');
  return type;
};

describe('numbers to decimal', () => {
  const type = record({ n: { type: 'number' } });
  const decimalOf = (n: unknown) => {
    const converted = convertArguments(type, { n });
    return converted.ok ? converted.value : converted.failure.reason;
  };
  const exact: [number, string][] = [
    [0, '0.0000'],
    [-0, '0.0000'],
    [100, '100.0000'],
    [12.5, '12.5000'],
    [-0.0001, '-0.0001'],
    [0.1, '0.1000'],
    [0.3, '0.3000'],
    [99_999_999_999.9999, '99999999999.9999'],
    [922_337_203_685_477, '922337203685477.0000'],
    [-922_337_203_685_477, '-922337203685477.0000'],
  ];
  for (const [number, text] of exact) {
    test(`${number} is exact`, () => assert.deepEqual(decimalOf(number), { n: { __extn: { fn: 'decimal', arg: text } } }));
  }
  for (const number of [0.000_01, 100.000_01, 0.1 + 0.2, 1 / 3, 1e-7, 5e-324, 999_999_999_999.9999]) {
    test(`${number} is refused`, () => assert.equal(decimalOf(number), 'must be a number with at most 4 decimal places'));
  }
  for (const number of [922_337_203_685_478, 1e20, -1e300]) {
    test(`${number} is too large`, () => {
      assert.equal(decimalOf(number), 'must be a number that policy can hold (up to 15 digits before the point)');
    });
  }
  for (const value of ['1', true, [1], Number.NaN, Number.POSITIVE_INFINITY, null]) {
    test(`${String(value)} is no number`, () => assert.equal(decimalOf(value), 'must be a number'));
  }
});

/** Property names, some of them traps. */
const name = fc.oneof(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', '__entity', '__extn'), fc.string({ unit: 'grapheme' }));

/** JSON schemas of the readable kinds, and of some that are not. */
const schema = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom({ type: 'string' }, { type: 'integer' }, { type: 'number' }, { type: 'boolean' }, {}, { type: ['string', 'null'] }),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
    tie('object'),
  ),
  object: fc
    .tuple(fc.dictionary(name, tie('schema'), { maxKeys: 4 }), fc.boolean(), fc.boolean())
    .map(([properties, requireAll, open]) => ({
      type: 'object',
      properties,
      required: requireAll ? Object.keys(properties) : [],
      additionalProperties: open,
    })),
}));

/** Values that fit the schema, mostly; here and there something else. */
function valueFor(given: unknown): fc.Arbitrary<unknown> {
  const { type, items, properties } = given as { type?: unknown; items?: unknown; properties?: Record<string, unknown> };
  const fitting = (): fc.Arbitrary<unknown> => {
    if (type === 'string') return fc.string({ unit: 'binary' });
    if (type === 'integer') return fc.maxSafeInteger();
    if (type === 'number')
      return fc.oneof(
        fc.double(),
        fc.integer(),
        fc.integer().map((n) => n / 10_000),
      );
    if (type === 'boolean') return fc.boolean();
    if (type === 'array') return fc.array(valueFor(items), { maxLength: 3 });
    if (type === 'object')
      return fc.record(Object.fromEntries(Object.entries(properties ?? {}).map(([key, value]) => [key, valueFor(value)])));
    return fc.constantFrom(null, 'text');
  };
  return fc.oneof({ weight: 20, arbitrary: fitting() }, { weight: 1, arbitrary: fc.jsonValue() });
}

const call = fc.gen().map((generate) => {
  const inputSchema = generate(() => schema.object);
  return { inputSchema, value: generate(() => valueFor(inputSchema)) };
});

test('whatever is converted passes Cedar’s own check against the schema made from the same type', () => {
  let converted = 0;
  fc.assert(
    fc.property(call, ({ inputSchema, value }) => {
      const type = inputTypeOf(inputSchema);
      assert.ok(type);
      const input = convertArguments(type, value);
      if (!input.ok) return;
      converted += 1;
      const cedarSchema: SchemaJson<string> = {
        '': {
          entityTypes: { E: {} },
          actions: {
            a: {
              appliesTo: {
                principalTypes: ['E'],
                resourceTypes: ['E'],
                context: { type: 'Record', attributes: { input: { ...cedarTypeOf(type), required: true } } },
              },
            },
          },
        },
      };
      const answer = cedar.isAuthorized({
        principal: { type: 'E', id: 'p' },
        action: { type: 'Action', id: 'a' },
        resource: { type: 'E', id: 'r' },
        context: { input: input.value },
        schema: cedarSchema,
        validateRequest: true,
        policies: { staticPolicies: 'permit (principal, action, resource);' },
        entities: [],
      });
      assert.equal(answer.type, 'success', JSON.stringify(answer));
    }),
    { numRuns: 300 },
  );
  assert.ok(converted > 100, `only ${converted} values were converted`);
});
