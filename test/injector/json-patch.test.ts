import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonPatch } from '../../injector/json-patch.ts';
import { applyJsonPatch } from './apply-json-patch.ts';

const named = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.nat(3) }), { maxLength: 6 });
const key = fc.constantFrom('a', 'b/c', 'd~e', '~1', '', '__proto__', '0', '-');
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, 0, 1, 'x', ''),
    named,
    fc.array(tie('json'), { maxLength: 5 }),
    fc.dictionary(key, tie('json'), { maxKeys: 5 }),
  ),
}));
/** As it comes off the wire: `-0`, `undefined` and prototypes do not survive that. */
const wire = json.map((value): unknown => JSON.parse(JSON.stringify(value)));

test('a patch applied to the one value gives the other', () => {
  fc.assert(
    fc.property(wire, wire, (before, after) => {
      assert.deepEqual(applyJsonPatch(before, jsonPatch(before, after)), after);
    }),
    { numRuns: 2_000 },
  );
});

test('equal values need no operation', () => {
  fc.assert(fc.property(wire, (value) => assert.deepEqual(jsonPatch(value, structuredClone(value)), [])));
});

test('an item put before others is one operation', () => {
  const others = [{ name: 'a', image: 'x' }, { name: 'b' }];
  assert.deepEqual(jsonPatch({ list: others }, { list: [{ name: 'new' }, ...others] }), [
    { op: 'add', path: '/list/0', value: { name: 'new' } },
  ]);
});

test('items with the same name are compared, not replaced', () => {
  const before = [{ name: 'a', image: 'x', env: [1] }, { name: 'b' }];
  const after = [{ name: 'new' }, { name: 'a', image: 'y', env: [1] }];
  assert.deepEqual(jsonPatch(before, after), [
    { op: 'add', path: '/0', value: { name: 'new' } },
    { op: 'replace', path: '/1/image', value: 'y' },
    { op: 'remove', path: '/2' },
  ]);
});

test('keys with / and ~ are escaped', () => {
  assert.deepEqual(jsonPatch({ 'a/b~c': 1 }, { 'a/b~c': 2 }), [{ op: 'replace', path: '/a~1b~0c', value: 2 }]);
});

test('long lists that have nothing in common are replaced whole, without comparing each with each', () => {
  const list = (prefix: string) => Array.from({ length: 20_000 }, (_, index) => ({ name: `${prefix}${index}` }));
  const started = performance.now();
  const after = list('b');
  assert.deepEqual(jsonPatch({ env: list('a') }, { env: after }), [{ op: 'replace', path: '/env', value: after }]);
  assert.ok(performance.now() - started < 10_000);
});
