import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, rpcError, send } from '../support/mcp-request.ts';
import { alice, assertRefused, gate, post, upstream } from './attacks/attacked-gate.ts';

describe('malformed messages', () => {
  for (const [name, body, code, status] of [
    ['not JSON', '{', -32700, 400],
    ['nothing', '', -32700, 400],
    ['a byte order mark', `\uFEFF${call('safe')}`, -32700, 400],
    ['invalid UTF-8', Buffer.concat([Buffer.from(call('safe').slice(0, -3)), Buffer.from([0xff]), Buffer.from('}}}')]), -32700, 400],
    ['two names', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","name":"danger"}}', -32700, 400],
    [
      'two names, one escaped',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","n\\u0061me":"danger"}}',
      -32700,
      400,
    ],
    ['a name in another case', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","Name":"danger"}}', -32600, 400],
    ['two methods', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"danger"}}', -32600, 400],
    ['a call without an id', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"danger"}}', -32600, 400],
    ['a call with id null', '{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"safe"}}', -32600, 400],
    ['a call with a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"safe"}}', -32600, 400],
    ['a call with an object for an id', '{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"safe"}}', -32600, 400],
    ['two ids', '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"safe"}}', -32700, 400],
    ['a number for a name', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}', -32602, 200],
    ['no name', '{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602, 200],
    [
      'deep nesting',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","arguments":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`,
      -32700,
      400,
    ],
    ['a method of our own names', '{"jsonrpc":"2.0","id":1,"method":"http/stream"}', -32600, 400],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const answer = await post(body);
      assert.equal(answer.status, status, answer.text);
      assertRefused(answer, code);
    });
  }

  it('refuses a method that MCP does not define and no policy names', async () => {
    assertRefused(await post('{"jsonrpc":"2.0","id":1,"method":"admin/shutdown"}'), 4030, 'not_permitted');
  });

  for (const [name, headers, status] of [
    ['another content type', { 'content-type': 'text/plain' }, 415],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }, 415],
    ['a compressed body', { 'content-encoding': 'gzip' }, 415],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const answer = await post(call('safe'), { headers });
      assert.equal(answer.status, status);
      assertRefused(answer, -32600);
    });
  }

  it('refuses an oversized body, declared or not', async () => {
    const large = call('safe', { text: 'x'.repeat(70_000) });
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const answer = await post(large, { headers });
      assert.equal(answer.status, 413);
      assertRefused(answer, -32600);
    }
  });

  for (const path of [
    '/files/mcp/../../x',
    '/files/other',
    '/files%2fmcp',
    '/unknown/mcp',
    '/',
    '//files/mcp',
    '/files/mcp?x=1',
    '/FILES/mcp',
    '/../files/mcp',
  ]) {
    it(`knows no server at ${path}`, async () => {
      const answer = await post(call('safe'), { path });
      assert.equal(answer.status, 404);
      assertRefused(answer, -32601);
    });
  }

  it('governs a client that uses it as its proxy for a registered server’s own URL', async () => {
    const path = `${upstream.url}/captured`;
    const { host } = new URL(path);
    assertRefused(await post(call('danger'), { path, headers: { host } }), 4030, 'not_permitted');
    assert.equal((await post(call('safe'), { path: upstream.url, headers: { host } })).status, 404, 'registered twice: which is meant?');
    assert.equal(rpcError(await post(call('safe'), { path, headers: { host } })), undefined);
    assert.equal(upstream.arrived.length, 1);
  });

  for (const path of ['http://127.0.0.1:1/mcp', 'http://evil.example/mcp', 'https://evil.example/mcp']) {
    it(`is nobody’s proxy to ${path}`, async () => {
      const answer = await post(call('safe'), { path, headers: { host: new URL(path).host } });
      assert.ok(answer.status === 404 || answer.status === 403, `${answer.status}`);
      assert.equal(upstream.arrived.length, 0);
    });
  }

  it('opens no tunnel, and says why', async () => {
    const { connect } = await import('node:net');
    const text = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(gate.port, '127.0.0.1', () =>
        socket.write(`CONNECT ${new URL(upstream.url).host} HTTP/1.1\r\nhost: x\r\n\r\n`),
      );
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
      socket.on('close', () => resolve(received));
    });
    assert.match(text, /^HTTP\/1\.1 403 .*does not open tunnels/s);
  });

  it('refuses other HTTP methods', async () => {
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE']) {
      const answer = await send(gate.port, { method, path: '/files/mcp', headers: { authorization: `Bearer ${alice}` } });
      assert.equal(answer.status, 405, method);
    }
    assert.equal(upstream.arrived.length, 0);
  });
});

describe('resource URIs', () => {
  for (const uri of [
    'file:///public/../secret',
    'file:///public/%2e%2E/secret',
    'file:///public/./../secret',
    'FILE:///public/x',
    'file:///public/\tx',
    ' file:///public/x',
    'file:///public/..\\secret',
    'file://HOST/public/x',
  ]) {
    it(`are refused when a server could take them for another: ${JSON.stringify(uri)}`, async () => {
      assertRefused(await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } })), -32602);
    });
  }

  it('are judged as they are written', async () => {
    const read = (uri: string) => post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } }));
    assertRefused(await read('file:///secret'), 4030, 'not_permitted');
    assert.equal(rpcError(await read('file:///public/a..b/.hidden')), undefined);
  });
});

it('survives a tunnel that is reset, and a message that would not fit into a record', async () => {
  const { connect } = await import('node:net');
  for (let times = 0; times < 5; times += 1) {
    const socket = connect(gate.port, '127.0.0.1', () => {
      socket.write('CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n');
      setImmediate(() => socket.resetAndDestroy());
    });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.on('close', resolve));
  }
  const name = 'x'.repeat(60_000);
  assertRefused(await post(call(name)), 4030, 'not_permitted');
  for (let tries = 0; tries < 400 && !gate.audit().some(({ target }) => target.startsWith('xxxx')); tries += 1) await sleep(50);
  const record = gate.audit().find(({ target }) => target.startsWith('xxxx'));
  assert.ok(record && record.target.length < 2_000);
});

it('leaves one audit record for every message, refused ones included, without argument values or secrets', async () => {
  // Records are delivered in order: what comes after this one is of the messages below.
  await post(call('the-last-before'));
  const recordsSince = () => {
    const all = gate.audit();
    const at = all.findIndex(({ target }) => target === 'the-last-before');
    return at < 0 ? undefined : all.slice(at + 1);
  };
  for (let tries = 0; tries < 400 && recordsSince() === undefined; tries += 1) await sleep(50);
  await post(call('safe', { password: 'hunter2' }, 'audit-1'));
  await post(call('danger', { x: 1 }, 'audit-2'));
  await post('{"broken');
  for (let tries = 0; tries < 400 && (recordsSince() ?? []).length < 3; tries += 1) await sleep(50);
  // A second record of any of them would come with the first.
  await sleep(200);
  const records = (recordsSince() ?? []).sort(
    (a, b) => ['ok', 'denied', 'rejected'].indexOf(a.outcome) - ['ok', 'denied', 'rejected'].indexOf(b.outcome),
  );
  assert.deepEqual(
    records.map(({ effect, outcome, target, user, code }) => ({ effect, outcome, target, user: user?.id ?? null, code })),
    [
      { effect: 'allow', outcome: 'ok', target: 'safe', user: 'alice', code: '' },
      { effect: 'deny', outcome: 'denied', target: 'danger', user: 'alice', code: 'forbidden' },
      { effect: 'deny', outcome: 'rejected', target: '', user: null, code: 'malformed' },
    ],
  );
  assert.deepEqual(records[0]?.argumentNames, ['password']);
  const everything = JSON.stringify(gate.audit());
  assert.doesNotMatch(everything, /hunter2|alices-upstream-secret/);
  assert.equal(everything.includes(alice), false);
});
