import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../../support/gate.ts';
import { type Answer, MCP_HEADERS, send } from '../../support/mcp-request.ts';
import { type Arrived, type Behaviour, json, startUpstream, type Upstream } from '../../support/upstream.ts';
import { POLICIES } from './policies.ts';

const MAX_MESSAGE_BYTES = 65_536;

let upstream: Upstream;
let gate: Gate;
let alice: string;
let bob: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: {
      'servers/new.yaml': `name: new\nurl: ${upstream.url}\nbridge_to: modern\n`,
      'servers/old.yaml': `name: old\nurl: ${upstream.url}?old\nbridge_to: legacy\n`,
    },
    sidecarEnv: { SIDEGATE_STDIO_MAX_LINE_BYTES: String(MAX_MESSAGE_BYTES) },
  }).catch(async (error: unknown) => {
    await upstream.close();
    throw error;
  });
  alice = await gate.token('alice');
  bob = await gate.token('bob');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.arrived.length = 0;
});

interface Said {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

const said = ({ body }: Arrived): Said => JSON.parse(body.toString() || '{}');
const sent = (method: string) => upstream.arrived.filter((request) => said(request).method === method);
const text = (value: unknown) => JSON.stringify(value);

/** The JSON-RPC messages of an answer, in order. */
function messages(body: string): Said[] {
  if (!body.includes('data: ')) return body === '' ? [] : [JSON.parse(body)];
  return body
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)));
}

const last = ({ text: body }: Answer): Said => messages(body).at(-1) ?? {};
const events = (...data: unknown[]): Behaviour => {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(data.map((message) => `data: ${text(message)}\n\n`).join(''));
  };
};

const EVERY_CAPABILITY = { elicitation: {}, sampling: {}, roots: {} };

describe('a hostile modern server and a legacy agent', () => {
  /** Has the server discovered, and do something else with every other request. */
  const behave = (then: Behaviour) =>
    upstream.behave((request, response) => {
      const { id, method } = said(request);
      const result = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
      if (method === 'server/discover')
        return json(response, {
          jsonrpc: '2.0',
          id,
          result: { ...result, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
        });
      if (method === 'tools/list' && text(id).includes('sidegate'))
        return json(response, { jsonrpc: '2.0', id, result: { ...result, tools: [] } });
      return then(request, response);
    });
  const post = (session: string | undefined, message: unknown, token = alice) =>
    send(gate.port, {
      path: '/new/mcp',
      body: text(message),
      headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...(session !== undefined && { 'mcp-session-id': session }) },
    });
  const open = async (capabilities: unknown = EVERY_CAPABILITY, token = alice): Promise<string> => {
    const params = { protocolVersion: '2025-06-18', capabilities, clientInfo: { name: 'c', version: '1' } };
    const answer = await post(undefined, { jsonrpc: '2.0', id: 'init', method: 'initialize', params }, token);
    assert.equal(last(answer).result?.['protocolVersion'], '2025-06-18');
    return String(answer.headers['mcp-session-id']);
  };
  const call = (session: string, method = 'tools/call', params: unknown = { name: 'x', arguments: {} }) =>
    post(session, { jsonrpc: '2.0', id: 7, method, params });
  const asking = (inputRequests: unknown, more = {}) => ({
    jsonrpc: '2.0',
    id: 7,
    result: { resultType: 'input_required', inputRequests, ...more },
  });
  const elicitation = { a: { method: 'elicitation/create', params: { message: 'sure?' } } };

  const result = { resultType: 'complete', content: [] };
  const cases: readonly (readonly [name: string, behaviour: Behaviour, reason: RegExp])[] = [
    ['answers another request', events({ jsonrpc: '2.0', id: 8, result }), /not asked/],
    ['answers without an id', (_request, response) => json(response, { jsonrpc: '2.0', id: null, result }), /cannot be read/],
    ['asks in the legacy way', events({ jsonrpc: '2.0', id: 1, method: 'sampling/createMessage', params: {} }), /sent a request/],
    [
      'ends without an answer',
      events({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } }),
      /before it was/,
    ],
    ['answers with a task', events({ jsonrpc: '2.0', id: 7, result: { resultType: 'task', taskId: '1' } }), /kind of result/],
    ['asks what no client answers', events(asking({ a: { method: 'agent/run' } })), /no client gives/],
    ['asks in a shape that cannot be read', events(asking([elicitation.a])), /may not/],
    ['asks for nothing', events(asking({})), /may not/],
    ['sends what is no message', events('text'), /cannot be read/],
    [
      'sends doubled keys',
      (_request, response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":7,"id":7,"result":{}}'),
      /cannot be read/,
    ],
    ['sends an event without an end', events({ jsonrpc: '2.0', id: 7, result: { content: 'x'.repeat(2 * MAX_MESSAGE_BYTES) } }), /larger/],
    [
      'sends a JSON answer without an end',
      (_request, response) => json(response, { jsonrpc: '2.0', id: 7, result: 'x'.repeat(2 * MAX_MESSAGE_BYTES) }),
      /larger/,
    ],
    ['redirects', (_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), /redirect/],
    ['refuses its credential', (_request, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(), /credential/],
  ];
  for (const [name, behaviour, reason] of cases) {
    it(`that ${name} is refused`, async () => {
      behave(behaviour);
      const { error } = last(await call(await open()));
      assert.equal(error?.code, 5020, text(error));
      assert.match(error.message, reason);
      assert.equal(sent('tools/call').length, 1, 'and it is not asked twice');
    });
  }

  it('that asks of a client what it does not answer is refused', async () => {
    behave(events(asking(elicitation)));
    const { error } = last(await call(await open({ sampling: {} })));
    assert.match(error?.message ?? '', /did not declare/);
  });

  it('that asks where nothing may be asked is refused', async () => {
    behave(events(asking(elicitation, { tools: [] })));
    assert.match(last(await call(await open(), 'tools/list', {})).error?.message ?? '', /may not/);
  });

  it('whose tool wants other fields than before is asked again, once', async () => {
    let refused = 0;
    const tools = [{ name: 'x', inputSchema: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } } }];
    behave((request, response) => {
      refused += 1;
      json(response, { jsonrpc: '2.0', id: said(request).id, error: { code: -32020, message: 'Mcp-Param-N is missing' } }, 400);
    });
    const behaving = upstream.arrived;
    const discovered = await open();
    assert.equal(last(await call(discovered)).error?.code, -32020);
    assert.equal(refused, 2);
    assert.ok(behaving.filter((request) => said(request).method === 'tools/list').length >= 1);
    upstream.behave((request, response) => {
      const { id, method } = said(request);
      if (method === 'tools/list') return json(response, { jsonrpc: '2.0', id, result: { ...result, tools } });
      const n = request.headers['mcp-param-n'];
      if (n !== '5') return json(response, { jsonrpc: '2.0', id, error: { code: -32020, message: 'Mcp-Param-N is missing' } }, 400);
      return json(response, { jsonrpc: '2.0', id, result });
    });
    assert.deepEqual(last(await call(discovered, 'tools/call', { name: 'x', arguments: { n: 5 } })).result?.['content'], []);
  });

  it('that asks without end is left', async () => {
    behave((request, response) => json(response, { ...asking({}, { requestState: 'again' }), id: said(request).id }));
    assert.match(last(await call(await open())).error?.message ?? '', /keeps asking/);
    assert.ok(sent('tools/call').length <= 17);
  });

  it('hears nothing of an agent’s answers that it did not ask for, and of nobody’s but that agent’s', async () => {
    behave(events(asking(elicitation, { requestState: 'one' })));
    const session = await open();
    const { outgoing, next } = stream(
      { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'x', arguments: {} } },
      '/new/mcp',
      alice,
      session,
    );
    const asked = await next();
    assert.equal(asked.method, 'elicitation/create');
    const answer = { jsonrpc: '2.0', id: asked.id, result: { action: 'accept', content: {} } };
    assert.equal((await post(await open(EVERY_CAPABILITY, bob), answer, bob)).status, 400, 'another user');
    assert.equal((await post(await open(), answer)).status, 400, 'another session');
    assert.equal((await post(session, { ...answer, id: 'sidegate-made-up' })).status, 400);
    assert.equal(sent('tools/call').length, 1);
    behave((request, response) =>
      json(response, { jsonrpc: '2.0', id: said(request).id, result: { content: [{ type: 'text', text: 'done' }] } }),
    );
    assert.equal((await post(session, answer)).status, 202);
    assert.match(text(await next()), /"id":7.*done/);
    const [, retry] = sent('tools/call').map(said);
    assert.notEqual(retry?.id, 7);
    assert.equal(retry?.params?.['requestState'], 'one');
    assert.deepEqual(retry?.params?.['inputResponses'], { a: answer.result });
    assert.equal((await post(session, answer)).status, 400, 'only once');
    outgoing.destroy();
  });

  it('sees no more of a call that policy has come to deny', async () => {
    behave(events(asking(elicitation)));
    const session = await open();
    const { outgoing, next } = stream(
      { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'late', arguments: {} } },
      '/new/mcp',
      alice,
      session,
    );
    const asked = await next();
    gate.writeBundleFile(
      'policies/late.cedar',
      'forbid (principal, action == Action::"CallUndeclaredTool", resource) when { resource.name == "late" };',
    );
    behave((request, response) => json(response, { jsonrpc: '2.0', id: said(request).id, result }));
    const isDenied = async () => last(await call(session, 'tools/call', { name: 'late', arguments: {} })).error?.code === 4030;
    for (let tries = 0; !(await isDenied()); tries += 1) {
      assert.ok(tries < 1_000, 'policy was not changed in time');
      await sleep(50);
    }
    upstream.arrived.length = 0;
    assert.equal((await post(session, { jsonrpc: '2.0', id: asked.id, result: { action: 'accept', content: {} } })).status, 202);
    assert.equal((await next()).error?.code, 4030);
    assert.equal(sent('tools/call').length, 0);
    outgoing.destroy();
  });

  it('gets nothing that only the agent’s `_meta` and round trips would say', async () => {
    behave((request, response) => json(response, { jsonrpc: '2.0', id: said(request).id, result }));
    const session = await open();
    const _meta = {
      'io.modelcontextprotocol/clientCapabilities': { tasks: {} },
      'io.modelcontextprotocol/logLevel': 'debug',
      'acme/kept': 1,
    };
    await call(session, 'tools/call', { name: 'x', arguments: { n: 1 }, _meta, inputResponses: { a: {} }, requestState: 'forged' });
    const [{ params } = {}] = sent('tools/call').map(said);
    const { traceparent, ...meta } = (params?.['_meta'] ?? {}) as Record<string, unknown>;
    assert.match(String(traceparent), /^00-/);
    assert.deepEqual(
      { ...params, _meta: meta },
      {
        name: 'x',
        arguments: { n: 1 },
        _meta: {
          'io.modelcontextprotocol/clientCapabilities': EVERY_CAPABILITY,
          'acme/kept': 1,
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
        },
      },
    );
    const { headers } = sent('tools/call')[0] ?? {};
    assert.equal(headers?.['mcp-session-id'], undefined);
    assert.deepEqual(
      [headers?.['mcp-method'], headers?.['mcp-name'], headers?.['mcp-protocol-version']],
      ['tools/call', 'x', '2026-07-28'],
    );
  });
});

describe('a hostile legacy server and a modern agent', () => {
  let initialized = 0;
  /** Lets sessions be opened, accepts what needs no answer, and does something else with every other request. */
  const behave = (then: Behaviour, protocolVersion = '2025-06-18') =>
    upstream.behave((request, response) => {
      const { id, method } = said(request);
      if (method === 'initialize') {
        initialized += 1;
        response.setHeader('mcp-session-id', `session-${initialized}`);
        return json(response, {
          jsonrpc: '2.0',
          id,
          result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } },
        });
      }
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (method === undefined || method.startsWith('notifications/')) return void response.writeHead(202).end();
      return then(request, response);
    });
  let clients = 0;
  /** @param client sessions are shared by what a client declares, so each test is another client */
  const call = (client = `client-${++clients}`, { token = alice, capabilities = EVERY_CAPABILITY as unknown, params = {} } = {}) => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': capabilities,
      'io.modelcontextprotocol/clientInfo': { name: client, version: '1' },
    };
    return send(gate.port, {
      path: '/old/mcp',
      body: text({ jsonrpc: '2.0', id: 'seven', method: 'tools/call', params: { name: 'x', arguments: {}, ...params, _meta } }),
      headers: {
        ...MCP_HEADERS,
        authorization: `Bearer ${token}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'x',
      },
    });
  };
  const answer = (request: Arrived, result: unknown) => ({ jsonrpc: '2.0', id: said(request).id, result });

  const cases: readonly (readonly [name: string, behaviour: Behaviour, reason: RegExp])[] = [
    ['answers another request', events({ jsonrpc: '2.0', id: 'seven', result: { content: [] } }), /not asked/],
    [
      'ends without an answer',
      events({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } }),
      /before it was/,
    ],
    ['accepts a request as if it were none', (_request, response) => void response.writeHead(202).end(), /before it was/],
    ['sends what is no message', events('text'), /cannot be read/],
    ['fails', (_request, response) => void response.writeHead(500).end('oh'), /HTTP status 500/],
    ['sends an event without an end', events({ jsonrpc: '2.0', id: 1, result: { content: 'x'.repeat(2 * MAX_MESSAGE_BYTES) } }), /larger/],
    ['redirects', (_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), /redirect/],
  ];
  for (const [name, behaviour, reason] of cases) {
    it(`that ${name} is refused`, async () => {
      behave(behaviour);
      const { error, id } = last(await call());
      assert.equal(error?.code, 5020, text(error));
      assert.equal(id, 'seven');
      assert.match(error.message, reason);
      assert.equal(sent('tools/call').length, 1, 'and it is not asked twice');
    });
  }

  it('that chooses a protocol version of another era is refused', async () => {
    behave((request, response) => json(response, answer(request, {})), '2026-07-28');
    assert.match(last(await call()).error?.message ?? '', /protocol version/);
    assert.equal(sent('tools/call').length, 0);
  });

  it('that forgets its sessions at once gets a request twice, and no more', async () => {
    behave((_request, response) => void response.writeHead(404).end());
    assert.match(last(await call()).error?.message ?? '', /404/);
    assert.equal(sent('tools/call').length, 2);
    assert.equal(sent('initialize').length, 2);
    const [first, second] = sent('tools/call').map(({ headers }) => headers['mcp-session-id']);
    assert.notEqual(first, second);
  });

  it('cannot pretend to ask in the modern way', async () => {
    const inputRequests = { a: { method: 'elicitation/create', params: { message: 'password?' } } };
    behave((request, response) =>
      json(response, answer(request, { resultType: 'input_required', inputRequests, content: [], requestState: 'x' })),
    );
    assert.equal(last(await call()).result?.['resultType'], 'complete');
  });

  it('is told when it asks what the client does not answer', async () => {
    behave((request, response) =>
      events({ jsonrpc: '2.0', id: 'ask', method: 'sampling/createMessage', params: {} }, answer(request, { content: [] }))(
        request,
        response,
      ),
    );
    assert.deepEqual(last(await call(undefined, { capabilities: { elicitation: {} } })).result?.['content'], []);
    let told: Said | undefined;
    for (let tries = 0; tries < 2_000 && told === undefined; tries += 1) {
      told = upstream.arrived.map(said).find(({ id }) => id === 'ask');
      await sleep(10);
    }
    assert.equal(told?.error?.code, -32601);
  });

  it('serves two users in two sessions, and one agent in one', async () => {
    behave((request, response) => json(response, answer(request, { content: [] })));
    await call('same');
    await call('same');
    await call('same', { token: bob });
    await call('same', { capabilities: {} });
    const ids = sent('tools/call').map(({ headers }) => headers['mcp-session-id']);
    assert.equal(ids[0], ids[1]);
    assert.equal(new Set(ids).size, 3);
    assert.equal(sent('initialize').length, 3);
  });

  it('gets the judged arguments as they are, and nothing of the modern era', async () => {
    behave((request, response) => json(response, answer(request, { content: [] })));
    await call(undefined, { params: { arguments: { n: 12_345 }, inputResponses: { a: {} } } });
    const [{ id, params } = {}] = sent('tools/call').map(said);
    assert.equal(typeof id, 'number');
    const { traceparent, ...meta } = (params?.['_meta'] ?? {}) as Record<string, unknown>;
    assert.match(String(traceparent), /^00-/);
    assert.deepEqual({ ...params, _meta: meta }, { name: 'x', arguments: { n: 12_345 }, _meta: {} });
    const { headers } = sent('tools/call')[0] ?? {};
    assert.deepEqual(
      [headers?.['mcp-method'], headers?.['mcp-name'], headers?.['mcp-protocol-version']],
      [undefined, undefined, '2025-06-18'],
    );
  });
});

/** Sends a request and reads its event stream as it comes. */
function stream(message: unknown, path: string, token: string, session: string) {
  const waiting: ((said: Said) => void)[] = [];
  const arrived: Said[] = [];
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port: gate.port,
    method: 'POST',
    path,
    agent: false,
    headers: { ...MCP_HEADERS, host: `localhost:${gate.port}`, authorization: `Bearer ${token}`, 'mcp-session-id': session },
  });
  outgoing.on('error', () => undefined);
  outgoing.on('response', (response) => {
    let unread = '';
    response.on('error', () => undefined);
    response.on('data', (chunk: Buffer) => {
      unread += chunk;
      const end = unread.lastIndexOf('\n\n');
      if (end < 0) return;
      for (const said of messages(unread.slice(0, end))) {
        const take = waiting.shift();
        if (take === undefined) arrived.push(said);
        else take(said);
      }
      unread = unread.slice(end + 2);
    });
  });
  outgoing.end(text(message));
  const next = (): Promise<Said> => {
    const known = arrived.shift();
    return known === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(known);
  };
  return { outgoing, next };
}
