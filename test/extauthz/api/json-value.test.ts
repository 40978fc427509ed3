import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseJsonValue } from '../../../extauthz/api/json-value.ts';

/** Every character as an escape. */
const escaped = (name: string) =>
  `"${[...Array(name.length).keys()].map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;

describe('JSON values', () => {
  it('have the names that were written, however they were written and however often', () => {
    const names = ['"', '\\', 't', 'r', 'é', '_meta', 't"', '\\"', '"t', 'name', '__proto__', 'a b', ''];
    for (let round = 0; round < 60_000; round += 1) {
      const [one = '', two = ''] = [names[round % names.length], names[(round * 7 + (round >> 4)) % names.length]];
      if (one === two) continue;
      const first = round % 3 === 0 ? escaped(one) : JSON.stringify(one);
      const second = round % 5 === 0 ? escaped(two) : JSON.stringify(two);
      const read = parseJsonValue(`{"params":{"x":"\\n",${first}:[],${second} : ${round}}}`) as { params: object };
      assert.deepEqual(
        Object.keys(read.params),
        Object.keys(
          Object.fromEntries([
            ['x', 0],
            [one, 0],
            [two, 0],
          ]),
        ),
        `round ${round}`,
      );
    }
  });

  it('are what any other JSON is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.equal(JSON.stringify(parseJsonValue(text)), JSON.stringify(value));
      }),
      { numRuns: 2_000 },
    );
  });

  it('never set a prototype', () => {
    const read = parseJsonValue('{"\\u005f_proto__":{"admin":true},"a":1}') as { admin?: boolean };
    assert.equal(read.admin, undefined);
    assert.deepEqual(Object.keys(read), ['__proto__', 'a']);
  });

  for (const text of ['{"\u{10fffd}0":"\\n"}', '{"a\\":1}', '{"\\x":1}', '{"a\\u00":1}', '"\\', '{"\\"', '{"a\\nb":}', '']) {
    it(`are refused when they are none: ${JSON.stringify(text)}`, () => assert.throws(() => parseJsonValue(text), SyntaxError));
  }
});
