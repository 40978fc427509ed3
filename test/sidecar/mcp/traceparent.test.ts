import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type JsonRpcMessage, parseJsonRpc } from '../../../extauthz/api/json-rpc.ts';
import { parseJsonValue } from '../../../extauthz/api/json-value.ts';
import { withTraceparent } from '../../../sidecar/mcp/message.ts';

const OURS = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function call(bytes: Buffer): Exclude<JsonRpcMessage, { kind: 'response' }> {
  const parsed = parseJsonRpc(bytes);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.ok(parsed.value.kind !== 'response');
  return parsed.value;
}

function traced(text: string): string {
  const bytes = Buffer.from(text);
  return Buffer.from(withTraceparent(bytes, call(bytes), OURS)).toString();
}

const request = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${params}}`;

describe('where the trace parent goes', () => {
  const cases: readonly (readonly [name: string, params: string, want: string])[] = [
    [
      'over the one that is there',
      '{"_meta":{"a":1, "traceparent" : "00-x" ,"b":2}}',
      `{"_meta":{"a":1, "traceparent" : "${OURS}" ,"b":2}}`,
    ],
    ['over a value of any kind', '{"_meta":{"traceparent":{"x":[1]}}}', `{"_meta":{"traceparent":"${OURS}"}}`],
    ['over one whose key is escaped', '{"_meta":{"trac\\u0065parent":"x"}}', `{"_meta":{"trac\\u0065parent":"${OURS}"}}`],
    [
      'before the other keys',
      '{"_meta": { "a":12345678901234567890 } }',
      `{"_meta": {"traceparent":"${OURS}", "a":12345678901234567890 } }`,
    ],
    ['into an empty _meta', '{"_meta":{ }}', `{"_meta":{"traceparent":"${OURS}" }}`],
    ['nowhere without _meta', '{"traceparent":"x"}', '{"traceparent":"x"}'],
    ['not into an argument of that name', '{"arguments":{"_meta":{"traceparent":"x"}}}', '{"arguments":{"_meta":{"traceparent":"x"}}}'],
  ];
  for (const [name, params, want] of cases) test(name, () => assert.equal(traced(request(params)), request(want)));
});

test('a message without _meta is the very same bytes', () => {
  const bytes = Buffer.from(request('{}'));
  assert.equal(withTraceparent(bytes, call(bytes), OURS), bytes);
});

test('nothing but a trace parent can be put into a message', () => {
  const bytes = Buffer.from(request('{"_meta":{}}'));
  for (const forged of ['', 'x","y":"z', `${OURS}"`, OURS.toUpperCase()]) {
    assert.throws(() => withTraceparent(bytes, call(bytes), forged), TypeError);
  }
});

test('everything but the trace parent stays byte for byte', () => {
  const name = fc.string({ unit: fc.constantFrom('t', 'r', '"', '\\', '{', '}', ',', ':', 'é', '_meta', 'traceparent') });
  const dictionary = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5, noNullPrototype: true });
  fc.assert(
    fc.property(
      dictionary,
      dictionary,
      fc.option(fc.string(), { nil: undefined }),
      fc.constantFrom(0, 1, '\t'),
      (params, others, traceparent, indent) => {
        const meta = { ...others, ...(traceparent !== undefined && { traceparent }) };
        const text = JSON.stringify({ params: { ...params, _meta: meta }, jsonrpc: '2.0', id: 1, method: 'acme/do' }, null, indent);
        if (/\\ud[89a-f]/i.test(text)) return;
        const bytes = Buffer.from(text);
        const message = call(bytes);
        const result = Buffer.from(withTraceparent(bytes, message, OURS));
        const at = result.indexOf(OURS) - 1;
        if (message.traceparentSpan !== undefined) {
          const { start, end } = message.traceparentSpan;
          assert.deepEqual(result, Buffer.concat([bytes.subarray(0, start), Buffer.from(`"${OURS}"`), bytes.subarray(end)]));
        } else {
          const from = at - '"traceparent":'.length;
          const length = result.length - bytes.length;
          assert.deepEqual(Buffer.concat([result.subarray(0, from), result.subarray(from + length)]), bytes);
        }
        const before = parseJsonValue(text) as { params: { _meta: Record<string, unknown> } };
        before.params._meta['traceparent'] = OURS;
        assert.deepEqual(parseJsonValue(result.toString()), before);
      },
    ),
    { numRuns: 2_000 },
  );
});
