import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { type Arrived, json, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"files");
permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"other");
@id("may-elicit")
permit (principal, action == Action::"AskClient", resource == Method::"files/elicitation/create");
permit (principal, action == Action::"ReadResource", resource) when { resource.uri like "file:///public/*" };
`;

let upstream: Upstream;
let gate: Gate;
let alice: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({ servers: { files: upstream.url, other: upstream.url }, policies: POLICIES });
  alice = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.arrived.length = 0;
});

function post(body: string, { token = alice, headers = {}, server = 'files' } = {}): Promise<Answer> {
  return send(gate.port, { path: `/${server}/mcp`, body, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...headers } });
}

const isCall = ({ body }: Arrived) => body.includes('"tools/call"');
const answerTo = (id: string) => `{"jsonrpc":"2.0","id":${id},"result":{"action":"accept","content":{}}}`;

/** Answers a call with events, and everything else with 202. */
function streaming(...events: string[]): void {
  upstream.behave((request, response) => {
    if (!isCall(request)) return void response.writeHead(202).end();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end([...events, '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'].map((data) => `data: ${data}\n\n`).join(''));
  });
}

async function until<T>(find: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    const found = find();
    if (found !== undefined) return found;
    await sleep(10);
  }
  throw new Error('not in time');
}

describe('a request that a server makes of the agent', () => {
  it('reaches the agent when policy permits it, and its answer reaches the server once', async () => {
    streaming('{"jsonrpc":"2.0","id":"ask-1","method":"elicitation/create","params":{"message":"sure?"}}');
    assert.match((await post(call('x'))).text, /"elicitation\/create"/);
    assert.equal((await post(answerTo('"ask-1"'))).status, 202);
    assert.equal((await post(answerTo('"ask-1"'))).status, 400, 'only once');
    assert.equal(upstream.arrived.filter((request) => !isCall(request)).length, 1);
  });

  it('never reaches the agent when nothing permits it, and the server is told', async () => {
    streaming('{"jsonrpc":"2.0","id":12345678901234567890,"method":"sampling/createMessage","params":{"messages":[]}}');
    const { text } = await post(call('x'));
    assert.doesNotMatch(text, /sampling/);
    assert.match(text, /"result":\{"content":\[\]\}/);
    const told = await until(() => upstream.arrived.find((request) => !isCall(request)));
    assert.match(told.body.toString(), /^\{"jsonrpc":"2\.0","id":12345678901234567890,"error":\{"code":4030,/);
    assert.equal((await post(answerTo('12345678901234567890'))).status, 400, 'and the agent cannot answer it');
  });

  it('of a method that nobody knows is refused too', async () => {
    streaming('{"jsonrpc":"2.0","id":7,"method":"agent/run","params":{}}');
    assert.doesNotMatch((await post(call('x'))).text, /agent\/run/);
  });

  it('may be a ping, which the agent answers', async () => {
    streaming('{"jsonrpc":"2.0","id":8,"method":"ping"}');
    assert.match((await post(call('x'))).text, /"ping"/);
    assert.equal((await post('{"jsonrpc":"2.0","id":8,"result":{}}')).status, 202);
  });

  it('is governed on the GET stream as well', async () => {
    upstream.behave((request, response) => {
      if (request.method !== 'GET') return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        'data: {"jsonrpc":"2.0","id":21,"method":"roots/list"}\n\ndata: {"jsonrpc":"2.0","id":22,"method":"elicitation/create","params":{}}\n\n',
      );
    });
    const answer = await send(gate.port, {
      method: 'GET',
      path: '/files/mcp',
      headers: { authorization: `Bearer ${alice}`, accept: 'text/event-stream' },
    });
    assert.doesNotMatch(answer.text, /roots/);
    assert.match(answer.text, /elicitation/);
  });
});

describe('an answer that no server waits for', () => {
  it('goes nowhere: never asked, asked of somebody else, or asked by another server', async () => {
    streaming('{"jsonrpc":"2.0","id":"ask-2","method":"elicitation/create","params":{}}');
    await post(call('x'));
    upstream.arrived.length = 0;
    assert.equal((await post(answerTo('"never-asked"'))).status, 400);
    assert.equal((await post(answerTo('"ask-2"'), { token: await gate.token('bob') })).status, 400);
    assert.equal((await post(answerTo('"ask-2"'), { server: 'other' })).status, 400);
    assert.equal(upstream.arrived.length, 0);
    assert.equal((await post(answerTo('"ask-2"'))).status, 202);
  });
});

describe('a modern result that asks for input', () => {
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {} },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', arguments: {}, _meta: META } });
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'x' };
  const asking = (...methods: string[]) => ({
    jsonrpc: '2.0',
    id: 1,
    result: {
      resultType: 'input_required',
      inputRequests: Object.fromEntries(methods.map((method, index) => [`k${index}`, { method, params: {} }])),
      requestState: 'opaque',
    },
  });

  for (const [how, answer] of [
    ['as JSON', (message: unknown) => upstream.behave((_request, response) => json(response, message))],
    [
      'in an event stream',
      (message: unknown) =>
        upstream.behave((_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(message)}\n\n`);
        }),
    ],
  ] as const) {
    it(`passes when policy permits each request in it: ${how}`, async () => {
      answer(asking('elicitation/create'));
      assert.match((await post(body, { headers })).text, /"requestState":"opaque"/);
    });

    it(`is replaced by a denial when it does not: ${how}`, async () => {
      answer(asking('elicitation/create', 'sampling/createMessage'));
      const { text } = await post(body, { headers });
      assert.match(text, /"code":4030/);
      assert.doesNotMatch(text, /inputRequests|opaque/);
    });
  }

  for (const result of [
    { InputRequests: { a: { method: 'sampling/createMessage' } } },
    { inputRequests: { a: { method: 'elicitation/create', Method: 'sampling/createMessage' } } },
  ]) {
    it(`cannot hide its requests behind another case: ${JSON.stringify(result)}`, async () => {
      upstream.behave((_request, response) =>
        json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'input_required', ...result } }),
      );
      assert.equal(rpcError(await post(body, { headers }))?.code, 5020);
    });
  }

  it('cannot hide its requests behind escapes or a shape that cannot be read', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","\\u0069nputRequests":{"a":{"method":"sampling\\u002fcreateMessage"}}}}',
      );
    });
    assert.equal(rpcError(await post(body, { headers }))?.code, 4030);
    upstream.behave((_request, response) =>
      json(response, { jsonrpc: '2.0', id: 1, result: { inputRequests: [{ method: 'sampling/createMessage' }] } }),
    );
    assert.equal(rpcError(await post(body, { headers }))?.code, 5020);
  });
});

describe('an error that makes the agent open a page (2025-11-25, URL elicitation)', () => {
  const elicitations = [{ mode: 'url', elicitationId: 'e-1', url: 'https://example.com/sign-in', message: 'Sign in' }];
  const required = { jsonrpc: '2.0', id: 1, error: { code: -32042, message: 'This needs more information.', data: { elicitations } } };
  const asJson = () => upstream.behave((_request, response) => json(response, required));
  const asStream = () =>
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(required)}\n\n`);
    });

  for (const [how, answer] of [
    ['as JSON', asJson],
    ['in an event stream', asStream],
  ] as const) {
    it(`passes as it is where the server may elicit: ${how}`, async () => {
      answer();
      assert.ok((await post(call('x'))).text.includes(JSON.stringify(required)));
    });

    it(`is replaced by a denial where it may not: ${how}`, async () => {
      answer();
      const { text } = await post(call('x'), { server: 'other' });
      assert.match(text, /"code":4030/);
      assert.doesNotMatch(text, /-32042|example\.com|Sign in/);
    });
  }
});

describe('subscriptions', () => {
  const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' };
  const listen = (resourceSubscriptions: unknown) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true, resourceSubscriptions }, _meta: META },
    });
  const updated = (uri: string) => `data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"${uri}"}}\n\n`;

  it('are refused when they name a resource that the user may not read', async () => {
    upstream.behave((_request, response) => json(response, {}));
    const answer = await post(listen(['file:///public/a', 'file:///secret/b']), { headers });
    assert.equal(rpcError(answer)?.code, 4030);
    assert.match(rpcError(answer)?.message ?? '', /file:\/\/\/secret\/b/);
    assert.equal(rpcError(await post(listen('file:///public/a'), { headers }))?.code, 4030);
    assert.equal(upstream.arrived.length, 0);
  });

  it('carry no notification about such a resource, whatever was asked for', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`${updated('file:///public/a')}${updated('file:///secret/b')}`);
    });
    const { text } = await post(listen(['file:///public/a']), { headers });
    assert.match(text, /public\/a/);
    assert.doesNotMatch(text, /secret/);
  });
});
