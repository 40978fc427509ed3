import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseJsonRpc } from '../../../extauthz/api/json-rpc.ts';
import { parseJsonValue } from '../../../extauthz/api/json-value.ts';
import { addresseeOf, forServer, listenForServer, responseForServer, withCursor } from '../../../sidecar/federation/for-server.ts';

function addressed(text: string): { readonly server: string; readonly text: string } | undefined {
  const bytes = Buffer.from(text);
  const parsed = parseJsonRpc(bytes);
  assert.ok(parsed.ok && parsed.value.kind !== 'response');
  const addressee = addresseeOf(parsed.value);
  return addressee && { server: addressee.server, text: Buffer.from(forServer(bytes, addressee)).toString() };
}

const message = (method: string, params: string) => `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`;
const RELATED = (id: string) => `"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"${id}"}}`;

describe('messages for a server', () => {
  it('say nothing else than before, whatever is in them', () => {
    // The parser keeps U+10FFFD for itself.
    const names = fc.string({ unit: 'binary', minLength: 1 }).filter((name) => name.isWellFormed() && !name.includes('\u{10fffd}'));
    const args = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.boolean()));
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9-]{1,9}$/), names, args, fc.boolean(), (server, own, given, nameFirst) => {
        const name = `${server}.${own}`;
        const params = nameFirst ? { name, arguments: given } : { arguments: given, name };
        const sent = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
        const got = addressed(JSON.stringify(sent));
        assert.equal(got?.server, server);
        assert.deepEqual(parseJsonValue(got.text), parseJsonValue(JSON.stringify({ ...sent, params: { ...params, name: own } })));
      }),
      { numRuns: 1_000 },
    );
  });

  for (const [method, params, server, want] of [
    ['tools/call', '{"name":"s.t","arguments":{"name":"s.t"}}', 's', '{"name":"t","arguments":{"name":"s.t"}}'],
    ['tools/call', '{ "arguments":{"name":"s.t"}, "name" : "s\\u002et.u" }', 's', '{ "arguments":{"name":"s.t"}, "name" : "t.u" }'],
    ['prompts/get', '{"name":"s.p"}', 's', '{"name":"p"}'],
    ['resources/read', '{"uri":"s+file:///x"}', 's', '{"uri":"file:///x"}'],
    ['resources/subscribe', '{"uri":"x.1+file:///x"}', '1', '{"uri":"file:///x"}'],
    [
      'completion/complete',
      '{"ref":{"type":"ref/prompt","name":"s.p"},"argument":{"name":"s.a"}}',
      's',
      '{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"s.a"}}',
    ],
    ['completion/complete', '{"ref":{"type":"ref/resource","uri":"s+a:{b}"}}', 's', '{"ref":{"type":"ref/resource","uri":"a:{b}"}}'],
    ['tasks/get', '{"taskId":"s.t"}', 's', '{"taskId":"t"}'],
    ['tools/call', `{"name":"s.t",${RELATED('s.1')}}`, 's', `{"name":"t",${RELATED('1')}}`],
    ['tools/call', `{"name":"s.t",${RELATED('other.1')}}`, 's', `{"name":"t",${RELATED('other.1')}}`],
  ] as const) {
    it(`go to the one that they name: ${method} ${params}`, () => {
      assert.deepEqual(addressed(message(method, params)), { server, text: message(method, want) });
    });
  }

  for (const [method, params] of [
    ['tools/call', '{"name":"t"}'],
    ['tools/call', '{"name":5}'],
    ['tools/call', '{}'],
    ['resources/read', '{"uri":"s.file"}'],
    ['completion/complete', '{}'],
    ['completion/complete', '{"ref":{"type":"ref/other","name":"s.p"}}'],
    ['completion/complete', '{"ref":{"type":"ref/resource","name":"s.p"}}'],
    ['tools/list', '{"name":"s.t"}'],
  ] as const)
    it(`go nowhere when they name none: ${method} ${params}`, () => assert.equal(addressed(message(method, params)), undefined));

  for (const [given, cursor, want] of [
    ['{"cursor":"ours"}', 'own', '{"cursor":"own"}'],
    ['{"cursor":"ours"}', undefined, '{}'],
    ['{"cursor":"ours","_meta":{"cursor":"x"}}', undefined, '{"_meta":{"cursor":"x"}}'],
    ['{"a":1 , "cursor" : "ours"}', undefined, '{"a":1 }'],
    ['{"a":1,"cursor":"ours","b":2}', '"\n', '{"a":1,"cursor":"\\"\\n","b":2}'],
    ['{"a":1,"cursor":"ours","b":2}', undefined, '{"a":1,"b":2}'],
    ['{"a":1}', undefined, '{"a":1}'],
  ] as const) {
    it(`ask for the page that the server knows: ${given} from ${cursor}`, () => {
      assert.equal(Buffer.from(withCursor(Buffer.from(message('tools/list', given)), cursor)).toString(), message('tools/list', want));
    });
  }

  it('listen to resources of that server alone', () => {
    const given = (uris: string) =>
      message('subscriptions/listen', `{"notifications":{"toolsListChanged":true,"resourceSubscriptions":${uris}}}`);
    const listened = (server: string) => Buffer.from(listenForServer(Buffer.from(given('["s+a:b","t+c:d","e:f",5]')), server)).toString();
    assert.equal(listened('s'), given('["a:b"]'));
    assert.equal(listened('t'), given('["c:d"]'));
    assert.equal(listened('u'), given('[]'));
  });

  for (const [given, server, want] of [
    ['"s.5"', 's', '5'],
    ['"s.\\"5\\""', 's', '"5"'],
    ['"s.12345678901234567890"', 's', '12345678901234567890'],
  ] as const) {
    it(`answer under the server's own id: ${given}`, () => {
      const answer = responseForServer(Buffer.from(`{"jsonrpc":"2.0","id":${given},"result":{"id":${given}}}`));
      assert.equal(answer?.server, server);
      assert.equal(Buffer.from(answer.bytes).toString(), `{"jsonrpc":"2.0","id":${want},"result":{"id":${given}}}`);
    });
  }

  for (const id of ['5', '"5"', '"s."', '"s.x"'])
    it(`answer nobody under ${id}`, () =>
      assert.equal(responseForServer(Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{}}`)), undefined));
});
