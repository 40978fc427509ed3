import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHeaderValue, encodeHeaderValue } from '../../../sidecar/mcp/standard-headers.ts';

test('a header value stands for the text that it was made from, and is printable ASCII', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', ' a', 'a ', '=?base64?YQ==?=', 'ä', 'a\r\nb')), (text) => {
      const value = encodeHeaderValue(text);
      assert.match(value, /^[\x20-\x7e]+$/);
      assert.equal(decodeHeaderValue(value), text);
    }),
  );
  assert.equal(encodeHeaderValue('plain text'), 'plain text');
  assert.equal(encodeHeaderValue('ä'), '=?base64?w6Q=?=');
});
