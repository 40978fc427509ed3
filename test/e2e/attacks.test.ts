import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, call, MCP_HEADERS, type RawRequest, rpcError, send } from '../support/mcp-request.ts';
import { echoResult, json, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = `
@id("allow-safe")
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/safe");
@id("allow-read")
permit (principal, action == Action::"ReadResource", resource) when { resource.uri like "file:///public/*" };
@id("bob-all")
permit (principal == User::"bob", action == Action::"CallUndeclaredTool", resource);
@id("no-danger")
@reason("danger is never allowed")
forbid (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/danger");
`;

let upstream: Upstream;
let gate: Gate;
let alice: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url, captured: `${upstream.url}/captured`, tokens: upstream.url, dead: 'http://127.0.0.1:9/mcp' },
    policies: `${POLICIES}
      permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"tokens");
      permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"dead");
      permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"captured/safe");`,
    files: {
      'servers/tokens.yaml': `name: tokens\nurl: ${upstream.url}\ntransport: streamable-http\ncredential: {strategy: file, path: "tokens/{user}", header: authorization, format: "Bearer {secret}"}\n`,
    },
    secrets: { 'tokens/alice': 'alices-upstream-secret\n' },
    sidecarEnv: { SIDEGATE_MAX_BODY_BYTES: '65536', SIDEGATE_RECEIVE_TIMEOUT_MS: '2000' },
  });
  alice = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.behave(echoResult);
  upstream.arrived.length = 0;
  upstream.abandoned.length = 0;
});

function post(body: string | Uint8Array, options: RawRequest & { token?: string; server?: string } = {}): Promise<Answer> {
  const { token = alice, server = 'files', headers = {} } = options;
  return send(gate.port, {
    path: `/${server}/mcp`,
    body,
    ...options,
    headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...headers },
  });
}

/** What the agent reads, for each reason. */
const REASONS = {
  unauthenticated: /user token/,
  not_permitted: /^no policy permits/,
  no_credential: /no usable credential/,
  forbidden: /never allowed/,
};

function assertRefused(answer: Answer, code: number, reason?: keyof typeof REASONS): void {
  assert.equal(rpcError(answer)?.code, code, answer.text);
  if (reason !== undefined) assert.match(rpcError(answer)?.data?.sidegate.reason ?? '', REASONS[reason]);
  assert.equal(upstream.arrived.length, 0, 'nothing may reach the server');
}

describe('who may speak', () => {
  it('lets a permitted call through, byte for byte', async () => {
    const body =
      '{"jsonrpc": "2.0",\n "id": 12345678901234567890123, "method":"tools/call","params":{"name":"safe","arguments":{"n":1e400,"big":12345678901234567890123}}}';
    const answer = await post(body);
    assert.equal(answer.status, 200);
    assert.equal(upstream.arrived[0]?.body.toString(), body);
  });

  for (const [name, tokenOf] of [
    ['no token', async () => ''],
    ['a token that is no JWT', async () => 'abc.def'],
    [
      'an unsigned token',
      async () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"alice"}').toString('base64url')}.`,
    ],
    ['an expired token', () => gate.token('alice', { exp: Math.floor(Date.now() / 1_000) - 60 })],
    ['a token for somebody else’s service', () => gate.token('alice', { aud: 'other' })],
    ['a token of another issuer', () => gate.token('alice', { iss: 'https://evil.example' })],
    ['a workload token in place of a user’s', () => gate.token('alice', { aud: 'sidegate-policy' })],
  ] as const) {
    it(`refuses ${name}, without HTTP 401`, async () => {
      const answer = await post(call('safe'), { token: await tokenOf() });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['www-authenticate'], undefined);
      assertRefused(answer, 4030, 'unauthenticated');
    });
  }

  it('does not believe fields or _meta about who the user is', async () => {
    const headers = { 'x-forwarded-user': 'bob', 'x-user': 'bob', 'x-sidegate-user': 'bob', baggage: 'user=bob' };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'other', arguments: {}, _meta: { user: 'bob', 'sidegate/user': 'bob' } },
    });
    assertRefused(await post(body, { headers }), 4030, 'not_permitted');
  });

  for (const [name, headers] of [
    ['a foreign Host', { host: 'evil.example' }],
    ['a Host that only starts like localhost', { host: 'localhost.evil.example' }],
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the null Origin', { origin: 'null' }],
  ] as const) {
    it(`refuses ${name} with 403`, async () => {
      const answer = await post(call('safe'), { headers });
      assert.equal(answer.status, 403);
      assertRefused(answer, -32600);
    });
  }

  it('refuses two Authorization fields', async () => {
    const answer = await post(call('safe'), { headers: { authorization: [`Bearer ${alice}`, 'Bearer other'] } });
    assert.equal(answer.status, 400);
    assertRefused(answer, -32600);
  });
});

describe('what the server gets', () => {
  it('is the user’s own credential and nothing the agent forged', async () => {
    await post(call('x'), {
      server: 'tokens',
      headers: { cookie: 'c=1', 'x-api-key': 'k', 'x-forwarded-user': 'bob', connection: 'authorization' },
    });
    const headers = upstream.arrived[0]?.headers ?? {};
    assert.equal(headers['authorization'], 'Bearer alices-upstream-secret');
    for (const name of ['cookie', 'x-api-key', 'x-forwarded-user']) assert.equal(headers[name], undefined, name);
    assert.doesNotMatch(JSON.stringify(headers), new RegExp(alice.slice(-20)));
  });

  it('is nothing at all for a user without a credential: never an anonymous call', async () => {
    assertRefused(await post(call('x'), { server: 'tokens', token: await gate.token('carol') }), 4030, 'no_credential');
  });

  for (const user of ['../tokens/alice', 'tokens/../alice', '..', 'alice/', 'alice\0', '%61lice']) {
    it(`is not another user’s credential for a user called ${JSON.stringify(user)}`, async () => {
      assertRefused(await post(call('x'), { server: 'tokens', token: await gate.token(user) }), 4030);
    });
  }
});

describe('hidden and forbidden tools', () => {
  it('refuses a hidden tool that is called directly, and says why', async () => {
    const answer = await post(call('danger'));
    assert.equal(answer.status, 200);
    assertRefused(answer, 4030, 'forbidden');
    const error = rpcError(answer);
    assert.equal(error?.message, 'danger is never allowed');
    assert.match(error?.data?.sidegate.decisionId ?? '', /^[0-9a-f-]{36}$/);
    assert.match(error?.data?.sidegate.revision ?? '', /^[0-9a-f]+$/);
    assert.deepEqual(Object.keys(error?.data?.sidegate ?? {}), ['decisionId', 'revision', 'reason'], 'nothing else of policy');
  });

  const tools = [{ name: 'safe' }, { name: 'danger', description: 'the secret one' }, { name: 'other' }];
  const listRequest = JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'tools/list' });
  const message = JSON.stringify({ jsonrpc: '2.0', id: 'l', result: { tools, nextCursor: 'more' } });

  it('hides them in a JSON list, keeping the cursor', async () => {
    upstream.behave(
      (_request, response) => void response.writeHead(200, { 'content-type': 'Application/JSON; charset=utf-8' }).end(message),
    );
    const answer = await post(listRequest);
    assert.deepEqual(JSON.parse(answer.text).result, { tools: [{ name: 'safe' }], nextCursor: 'more' });
  });

  it('hides them in an event stream, however it is cut, and keeps ids, comments and other events', async () => {
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const stream = `id: 0\ndata: \n\n: keep-alive\n\nevent: message\nid: 7\ndata: ${message}\n\n`;
      for (let at = 0; at < stream.length; at += 7) {
        response.write(stream.slice(at, at + 7));
        if (at % 70 === 0) await sleep(1);
      }
      response.end();
    });
    const { text } = await post(listRequest);
    assert.doesNotMatch(text, /danger|secret one|other/);
    assert.match(text, /^id: 0\ndata: \n\n: keep-alive\n\nevent: message\nid: 7\ndata: \{.*"safe".*\}\n\n$/s);
  });

  it('hides them when a stream hands out a list that nobody asked for', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: 1\ndata: ${message}\n\n`);
    });
    const answer = await send(gate.port, {
      method: 'GET',
      path: '/files/mcp',
      headers: { accept: 'text/event-stream', authorization: `Bearer ${alice}` },
    });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /safe/);
    assert.doesNotMatch(answer.text, /danger|other/);
  });

  for (const [name, contentType, body] of [
    ['duplicate keys', 'application/json', '{"jsonrpc":"2.0","id":"l","result":{"tools":[],"tools":[{"name":"danger"}]}}'],
    ['a case variant of the key', 'application/json', '{"jsonrpc":"2.0","id":"l","result":{"tools":[],"Tools":[{"name":"danger"}]}}'],
    ['an array of messages', 'application/json', `[${message}]`],
    ['text after the message', 'application/json', `${message}${message}`],
    ['a content type that is not MCP’s', 'text/plain', message],
    ['an unreadable event', 'text/event-stream', `data: ${message.slice(0, -1)}\n\n`],
    [
      'a list larger than the limit',
      'application/json',
      JSON.stringify({ jsonrpc: '2.0', id: 'l', result: { tools: [{ name: 'danger', x: 'y'.repeat(70_000) }] } }),
    ],
  ] as const) {
    it(`withholds a list with ${name}`, async () => {
      upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': contentType }).end(body));
      const answer = await post(listRequest);
      assert.doesNotMatch(answer.text, /danger/);
      assert.match(answer.text, /"code":5020/);
    });
  }

  it('does not pass on a compressed list', async () => {
    upstream.behave(
      (_request, response) => void response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(message),
    );
    assert.equal(rpcError(await post(listRequest))?.code, 5020);
    assert.equal(upstream.arrived[0]?.headers['accept-encoding'], undefined);
  });
});

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

describe('sessions', () => {
  const initialize = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  });

  async function openSession(token = alice): Promise<string> {
    upstream.behave((request, response) => {
      response.setHeader('mcp-session-id', 'the-servers-own-id');
      return echoResult(request, response);
    });
    return String((await post(initialize, { token })).headers['mcp-session-id']);
  }

  it('have a name of our own, which leads back to the server’s for its owner', async () => {
    const sealed = await openSession();
    assert.doesNotMatch(Buffer.from(sealed, 'base64url').toString('latin1'), /the-servers-own-id/);
    const answer = await post(call('safe'), { headers: { 'mcp-session-id': sealed } });
    assert.equal(answer.status, 200);
    assert.equal(upstream.arrived.at(-1)?.headers['mcp-session-id'], 'the-servers-own-id');
    assert.equal(answer.headers['mcp-session-id'], sealed, 'and keep it');
  });

  it('do not exist for anybody else, nor at another server, nor under the server’s own id', async () => {
    const sealed = await openSession();
    upstream.arrived.length = 0;
    const bob = await gate.token('bob');
    for (const [options, sessionId] of [
      [{ token: bob }, sealed],
      [{ server: 'tokens' }, sealed],
      [{}, 'the-servers-own-id'],
      [{}, `${sealed}A`],
    ] as const) {
      const answer = await post(call('safe'), { ...options, headers: { 'mcp-session-id': sessionId } });
      assert.equal(answer.status, 404, 'the client opens a new one then');
      assertRefused(answer, -32600);
    }
    for (const method of ['GET', 'DELETE']) {
      const headers = { authorization: `Bearer ${bob}`, accept: 'text/event-stream', 'mcp-session-id': sealed };
      assert.equal((await send(gate.port, { method, path: '/files/mcp', headers })).status, 404);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('are not for modern messages', async () => {
    const sealed = await openSession();
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'safe', arguments: {}, _meta: meta } });
    const headers = { 'mcp-session-id': sealed, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'safe' };
    const answer = await post(body, { headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['mcp-session-id'], undefined);
    assert.equal(upstream.arrived.at(-1)?.headers['mcp-session-id'], undefined);
  });
});

describe('answers that two readers could read differently', () => {
  const ask = '{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}';
  const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';

  for (const [name, contentType, body] of [
    ['an array with a request of the server in it', 'application/json', `[${answer},${ask}]`],
    ['a request of the server in place of the answer', 'application/json', ask],
    ['the answer to another request', 'application/json', '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"danger"}]}}'],
    ['a type that no client expects', 'text/html', ask],
    ['an event stream in another charset', 'text/event-stream; charset=utf-16le', Buffer.from(`data: ${ask}\n\n`, 'utf16le')],
    ['an event after another reader’s line end', 'text/event-stream', `data: ${answer}\u2028\n: x\u2028data: ${ask}\n\n`],
    ['an unknown field with another reader’s line end', 'text/event-stream', `data: ${answer}\nx: \u0085data: ${ask}\n\n`],
  ] as const) {
    it(`are withheld: ${name}`, async () => {
      upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': contentType }).end(body));
      const { text } = await post(call('safe'));
      assert.doesNotMatch(text, /sampling|danger/);
      assert.match(text, /"code":5020/);
    });
  }

  for (const [name, start] of [
    ['a byte order mark in the wrong encoding', '\u00ef\u00bb\u00bf'],
    ['a comment with another reader’s line end', ': x\u2028'],
    ['a byte order mark after the stream has begun', ': x\n\n\ufeff'],
  ] as const) {
    it(`are not passed unread: ${name} before an event`, async () => {
      upstream.behave((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${start}data: ${ask}\n\ndata: ${answer}\n\n`);
      });
      const { text } = await post(call('safe'));
      assert.doesNotMatch(text, /sampling/);
      assert.match(text, /"content":\[\]/);
    });
  }

  it('keep line separators in texts, as escapes', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('data: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a\u2028b"}]}}\n\n');
    });
    const { text } = await post(call('safe'));
    assert.equal(JSON.parse(text.slice('data: '.length)).result.content[0].text, 'a\u2028b');
    assert.doesNotMatch(text, /\u2028/);
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

describe('servers that misbehave', () => {
  it('keeps a 401 and its challenge from the agent', async () => {
    upstream.behave((_request, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end());
    const answer = await post(call('safe'));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.equal(rpcError(answer)?.code, 5020);
  });

  it('does not follow or pass on a redirect', async () => {
    upstream.behave((_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/steal' }).end());
    const answer = await post(call('safe'));
    assert.equal(rpcError(answer)?.code, 5020);
    assert.equal(answer.headers['location'], undefined);
    assert.equal(upstream.arrived.length, 1);
  });

  it('says that a server cannot be reached, without its address', async () => {
    const answer = await post(call('x'), { server: 'dead' });
    assert.equal(rpcError(answer)?.code, 5020);
    assert.doesNotMatch(answer.text, /127\.0\.0\.1|ECONNREFUSED/);
  });

  it('ends a call whose server breaks off in the middle of a stream with an error', async () => {
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': working\n\ndata: {"jsonrpc":"2.0","method":"notifications/mess');
      await sleep(50);
      response.destroy();
    });
    const { text } = await post(call('safe', {}, 'the-id'));
    assert.match(text, /\n\nevent: message\ndata: \{"jsonrpc":"2\.0","id":"the-id","error":\{"code":5020/);
  });

  it('cannot keep a call out of the audit trail with an odd error code or status', async () => {
    const stored = () => gate.audit().filter(({ target }) => target === 'safe').length;
    await sleep(200);
    const before = stored();
    for (const code of [1.5, 1e300, '4030']) {
      upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, error: { code, message: 'x' } }));
      await post(call('safe'));
    }
    upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: {} }, 799));
    assert.equal(rpcError(await post(call('safe')))?.code, 5020);
    for (let tries = 0; tries < 50 && stored() < before + 4; tries += 1) await sleep(50);
    assert.equal(stored(), before + 4);
  });

  it('sends a call once, also when the connection breaks', async () => {
    upstream.behave((_request, response) => void response.destroy());
    assert.equal(rpcError(await post(call('safe')))?.code, 5020);
    assert.equal(upstream.arrived.length, 1);
  });

  it('passes 400 and 404 answers on as they are', async () => {
    for (const [status, message] of [
      [400, { jsonrpc: '2.0', id: 1, error: { code: -32022, message: 'no', data: { supported: ['2026-07-28'] } } }],
      // The Python SDK's servers answer errors of HTTP under an id of their own.
      [400, { jsonrpc: '2.0', id: 'server-error', error: { code: -32600, message: 'Bad Request: Missing session ID' } }],
      [404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }],
    ] as const) {
      upstream.behave((_request, response) => json(response, message, status));
      const answer = await post(call('safe'));
      assert.equal(answer.status, status);
      assert.deepEqual(JSON.parse(answer.text), message);
    }
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
  for (let tries = 0; tries < 50 && !gate.audit().some(({ target }) => target.startsWith('xxxx')); tries += 1) await sleep(50);
  const record = gate.audit().find(({ target }) => target.startsWith('xxxx'));
  assert.ok(record && record.target.length < 2_000);
});

it('leaves one audit record for every message, refused ones included, without argument values or secrets', async () => {
  await post(call('safe', { password: 'hunter2' }, 'audit-1'));
  await post(call('danger', { x: 1 }, 'audit-2'));
  await post('{"broken');
  let records = gate.audit();
  for (let tries = 0; tries < 50 && records.filter(({ method }) => method === '').length === 0; tries += 1) {
    await sleep(50);
    records = gate.audit();
  }
  await sleep(200);
  records = gate
    .audit()
    .slice(-3)
    .sort((a, b) => ['ok', 'denied', 'rejected'].indexOf(a.outcome) - ['ok', 'denied', 'rejected'].indexOf(b.outcome));
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
