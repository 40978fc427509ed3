import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { echoResult, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = 'permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/safe");';
const TOOLS = '{"tools":[{"name":"hidden"},{"name":"safe"}]}';
const LIST = `{"jsonrpc":"2.0","id":1,"result":${TOOLS}}`;

let upstream: Upstream;
let gate: Gate;
let token: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url },
    policies: POLICIES,
    sidecarEnv: { SIDEGATE_MAX_BODY_BYTES: '65536' },
  });
  token = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.arrived.length = 0;
});

const post = (body: string, headers: Record<string, string> = {}): Promise<Answer> =>
  send(gate.port, { path: '/files/mcp', body, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...headers } });
const withoutBody = (method: 'GET' | 'DELETE'): Promise<Answer> =>
  send(gate.port, { method, path: '/files/mcp', headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } });
const answer = (status: number, type: string | undefined, body: string | Buffer): void =>
  upstream.behave((_request, response) => {
    response.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body);
  });

describe('the answer to a DELETE, which no client reads', () => {
  for (const [name, status, type, body] of [
    ['nothing', 200, undefined, ''],
    ['nothing, under a type', 200, 'application/json', ''],
    ['no content', 204, undefined, ''],
    ['a list', 200, 'application/json', LIST],
    ['a list that is accepted', 202, 'application/json', LIST],
    ['a list as text', 200, 'text/plain', LIST],
    ['a list of no type', 200, undefined, LIST],
    ['a list in an event', 200, 'text/event-stream', `data: ${LIST}\n\n`],
  ] as const) {
    it(`keeps its status and loses its body: ${name}`, async () => {
      answer(status, type, body);
      const { status: got, text } = await withoutBody('DELETE');
      assert.deepEqual([got, text], [status, '']);
    });
  }

  it('keeps an error of JSON-RPC, and loses a list under an error status', async () => {
    const error = '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Method not allowed."},"id":null}';
    answer(405, 'application/json', error);
    const refused = await withoutBody('DELETE');
    assert.deepEqual([refused.status, refused.text], [405, error]);
    answer(405, 'application/json', LIST);
    const { text } = await withoutBody('DELETE');
    assert.doesNotMatch(text, /hidden/);
  });
});

describe('what is only accepted', () => {
  for (const type of ['text/plain', undefined]) {
    it(`has no body: ${type}`, async () => {
      answer(202, type, LIST);
      const accepted = await post('{"jsonrpc":"2.0","method":"notifications/initialized"}');
      assert.deepEqual([accepted.status, accepted.text], [202, '']);
    });
  }
});

describe('the body of an error status, which SDKs show in their own errors', () => {
  for (const [name, type, body] of [
    [
      'an error of JSON-RPC',
      'application/json',
      '{"jsonrpc": "2.0","id":"server-error","error":{"code":-32600,"message":"No tools here"}}',
    ],
    ['an error of JSON-RPC as text', 'text/plain', '{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'],
    ['JSON of a framework', 'application/json', '{"detail":[{"loc":["body","tools"],"msg":"Not Found"}]}'],
    ['an OAuth error', 'application/json', '{"error":"invalid_token","error_description":"expired"}'],
    ['a text', 'text/plain; charset=utf-8', 'Not found: no resources, no tools\n'],
    ['a text that says it is JSON', 'application/json', 'Not Found'],
    ['a page', 'text/html', '<html><body class="tools"><h1>404 Not Found</h1><hr></body></html>\r\n'],
    ['a text of no type', undefined, 'méthode inconnue'],
    ['nothing', undefined, ''],
  ] as const) {
    it(`passes as it is: ${name}`, async () => {
      for (const status of [400, 404, 500]) {
        answer(status, type, body);
        const got = await post(call('safe'));
        assert.deepEqual([got.status, got.text], [status, body]);
      }
    });
  }

  it('has its lists filtered where it is a message, whatever its type', async () => {
    for (const type of ['application/json', 'text/plain', undefined]) {
      answer(400, type, LIST);
      assert.equal((await post(call('safe'))).text, LIST.replace('{"name":"hidden"},', ''));
    }
  });

  for (const [name, body] of [
    ['a list outside a message', TOOLS],
    ['a list in something else', `{"detail":{"x":[${TOOLS}]}}`],
    ['a list under another case', '{"Tools":[{"name":"hidden"}]}'],
    ['an array of messages', `[${LIST}]`],
    ['a message that is broken off', LIST.slice(0, -2)],
    ['a message after a byte order mark', `\ufeff${LIST}`],
    ['two messages', LIST + LIST],
    ['a doubled list', '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden"}]}}'],
    ['a list behind an escape', `{"to\\u006fls":[{"name":"hidden"}],}`],
    ['a list within a text', `Sorry: ${LIST}`],
    ['a result and an error', '{"jsonrpc":"2.0","id":1,"error":{},"result":{"tools":[{"name":"hidden"}]}}'],
    ['a request with an error', '{"jsonrpc":"2.0","id":1,"error":{},"method":"sampling/createMessage","params":{"x":"hidden"}}'],
    ['a list in UTF-16', Buffer.from(LIST, 'utf16le')],
    ['a list in no encoding', Buffer.concat([Buffer.of(0xff), Buffer.from(LIST)])],
    ['a text without end', `hidden${'x'.repeat(70_000)}`],
  ] as const) {
    it(`is withheld: ${name}`, async () => {
      for (const type of ['application/json', 'text/plain', undefined]) {
        answer(400, type, body);
        const got = await post(call('safe'));
        assert.equal(rpcError(got)?.code, 5020);
        assert.doesNotMatch(got.text, /hidden/);
      }
    });
  }
});

describe('a list that is no array', () => {
  for (const key of ['tools', 'prompts', 'resources', 'resourceTemplates', 'tasks']) {
    it(`is withheld in an answer and ends a stream: ${key}`, async () => {
      for (const value of ['{"0":{"name":"hidden"}}', '"hidden"', '7', 'true']) {
        const body = `{"jsonrpc":"2.0","id":1,"result":{"content":[],"${key}":${value}}}`;
        answer(200, 'application/json', body);
        assert.equal(rpcError(await post(call('safe')))?.code, 5020);
        answer(200, 'text/event-stream', `: x\n\ndata: ${body}\n\n`);
        assert.doesNotMatch((await post(call('safe'))).text, /hidden|"result"/);
        // There is no request that an error could answer.
        await assert.rejects(withoutBody('GET'), { code: 'ECONNRESET' });
      }
    });
  }

  it('but nothing may stand for one', async () => {
    const body = '{"jsonrpc":"2.0","id":1,"result":{"content":[],"resources":null}}';
    answer(200, 'application/json', body);
    assert.equal((await post(call('safe'))).text, body);
  });
});

describe('what clients ignore on an event stream', () => {
  const done = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';

  for (const [name, sent, left] of [
    ['a comment', `: hidden\n\ndata: ${done}\n\n`, `:\n\ndata: ${done}\n\n`],
    [
      'a comment in an event',
      `id: 1\r\n:hidden\r\nevent: message\r\ndata: ${done}\r\n\r\n`,
      `id: 1\r\n:\r\nevent: message\r\ndata: ${done}\r\n\r\n`,
    ],
    ['a field without a meaning', `hidden: 1\ndata: ${done}\nDATA: hidden\nhidden\n\n`, `:\ndata: ${done}\n:\n:\n\n`],
    ['a field with a blank before it', ` data: hidden\rdata: ${done}\r\r`, `:\rdata: ${done}\r\r`],
    ['fields alone', `hidden: 1\nretry: hidden\n\ndata: ${done}\n\n`, `:\n:\n\ndata: ${done}\n\n`],
    ['a wait that is no number', `retry: 1 hidden\nretry: 25\ndata: ${done}\n\n`, `:\nretry: 25\ndata: ${done}\n\n`],
    [
      'a comment beside a list',
      `: hidden\nid: 7\ndata: ${LIST}\nx: hidden\n\n`,
      `:\nid: 7\ndata: ${LIST.replace('{"name":"hidden"},', '')}\n:\n\n`,
    ],
  ] as const) {
    it(`is not passed on, and its line stays: ${name}`, async () => {
      answer(200, 'text/event-stream', sent);
      assert.equal((await post(call('safe'))).text, left);
      assert.equal((await withoutBody('GET')).text, left);
    });
  }

  it('keeps what they go by: ids, types, waits and signs of life', async () => {
    const stream = `:\n\nid: 1\nretry: 250\ndata: \n\n:\r\n\r\nevent: message\nid: 2\ndata: ${done}\n\n`;
    answer(200, 'text/event-stream', stream);
    assert.equal((await post(call('safe'))).text, stream);
  });
});

describe('a handshake that two servers could take for two', () => {
  const META = 'io.modelcontextprotocol/protocolVersion';
  const initialize = (_meta?: object) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' }, ..._meta },
    });

  for (const [name, version, headers] of [
    ['another version in the field', '2026-07-28', { 'mcp-protocol-version': '2025-11-25' }],
    ['a version that is no text, and one in the field', 7, { 'mcp-protocol-version': '2025-11-25' }],
    ['another method in the field', '2026-07-28', { 'mcp-method': 'tools/call' }],
    ['a name in the field', '2026-07-28', { 'mcp-protocol-version': '2026-07-28', 'mcp-name': 'safe' }],
  ] as const) {
    it(`does not reach one: ${name}`, async () => {
      upstream.behave(echoResult);
      const got = await post(initialize({ _meta: { [META]: version } }), headers);
      assert.deepEqual([got.status, rpcError(got)?.code], [400, -32020]);
      assert.equal(upstream.arrived.length, 0);
    });
  }

  it('is the legacy one where nothing contradicts it', async () => {
    upstream.behave(echoResult);
    for (const [body, headers] of [
      [initialize({ _meta: { [META]: '2026-07-28' } }), {}],
      [initialize({ _meta: { [META]: '2025-11-25' } }), { 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'initialize' }],
      [initialize(), { 'mcp-protocol-version': '2025-11-25' }],
    ] as const) {
      assert.equal((await post(body, headers)).status, 200);
    }
    assert.equal(upstream.arrived.length, 3);
  });
});
