import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, rpcError, send } from '../support/mcp-request.ts';
import { modernRequest } from '../support/modern-request.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"jobs/research");
permit (principal, action == Action::"AskClient", resource == Method::"jobs/elicitation/create");
`;
const CAPABILITIES = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({ servers: { jobs: upstream.url }, policies: POLICIES });
  for (const user of ['alice', 'bob']) tokens[user] = await gate.token(user);
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.arrived.length = 0;
});

interface As {
  readonly user?: string;
  readonly headers?: Record<string, string>;
  readonly capabilities?: Record<string, unknown>;
}

function post(method: string, params: Record<string, unknown>, as: As = {}): Promise<Answer> {
  const { user = 'alice', headers = {}, capabilities = CAPABILITIES } = as;
  const request = modernRequest(method, params, capabilities);
  return send(gate.port, {
    path: '/jobs/mcp',
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${tokens[user]}`, ...headers },
  });
}

const answerJson = (result: unknown) => upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result }));
const answerEvents = (...messages: unknown[]) =>
  upstream.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join(''));
  });
const taskNamed = (taskId: string, state: object = {}) => ({ taskId, status: 'working', ttlMs: 60_000, ...state });
const notificationOf = (taskId: string, state: object = {}) => ({
  jsonrpc: '2.0',
  method: 'notifications/tasks',
  params: { ...taskNamed(taskId, state), _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } },
});

async function start(taskId: string, as: As = {}): Promise<void> {
  answerJson({ resultType: 'task', ...taskNamed(taskId) });
  assert.match((await post('tools/call', { name: 'research', arguments: {} }, as)).text, /"resultType":"task"/);
  answerJson({ resultType: 'complete' });
  upstream.arrived.length = 0;
}

describe('a task that the server made of a call', () => {
  before(async () => {
    await start('alices');
    await start('bobs', { user: 'bob' });
  });

  it('can be asked after, answered and cancelled by who called', async () => {
    const inputResponses = { when: { action: 'accept', content: {} } };
    for (const [method, params] of [
      ['tasks/get', {}],
      ['tasks/update', { inputResponses }],
      ['tasks/cancel', {}],
    ] as const) {
      assert.match((await post(method, { taskId: 'alices', ...params })).text, /"complete"/, method);
    }
    assert.equal(upstream.arrived.length, 3);
    assert.deepEqual(JSON.parse(upstream.arrived[1]?.body.toString() ?? '').params.inputResponses, inputResponses);
    assert.equal(upstream.arrived[1]?.headers['mcp-name'], 'alices');
  });

  it('does not exist for anybody else', async () => {
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const [guessed, unknown] = [
        await post(method, { taskId: 'alices' }, { user: 'bob' }),
        await post(method, { taskId: 'nobodys' }, { user: 'bob' }),
      ];
      assert.equal(rpcError(guessed)?.code, -32602, method);
      assert.equal(guessed.text, unknown.text);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('does not exist in the words of a server that first looks at the method and at what the client can do', async () => {
    for (const taskId of ['alices', 'nobodys']) {
      const gone = await post('tasks/result', { taskId }, { user: 'bob' });
      assert.deepEqual([gone.status, rpcError(gone)?.code], [404, -32601]);
      for (const capabilities of [{}, { extensions: {} }]) {
        const incapable = await post('tasks/get', { taskId }, { user: 'bob', capabilities });
        assert.deepEqual([incapable.status, rpcError(incapable)?.code], [400, -32021]);
        assert.deepEqual(JSON.parse(incapable.text).error.data.requiredCapabilities, CAPABILITIES);
      }
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('cannot be named one way in the header and another in the body', async () => {
    const answer = await post('tasks/get', { taskId: 'bobs' }, { user: 'bob', headers: { 'mcp-name': 'alices' } });
    assert.equal(answer.status, 400);
    assert.equal(rpcError(answer)?.code, -32020);
    assert.equal(upstream.arrived.length, 0);
  });
});

describe('what a task asks of the agent', () => {
  const asks = (method: string) => ({ inputRequests: { a: { method, params: {} } } });

  before(() => start('asking'));

  for (const [where, state] of [
    ['while it works', (method: string) => ({ status: 'input_required', ...asks(method) })],
    ['in the result of its tool', (method: string) => ({ status: 'completed', result: { content: [], ...asks(method) } })],
  ] as const) {
    it(`is decided as in a direct answer: ${where}`, async () => {
      answerJson({ resultType: 'complete', ...taskNamed('asking', state('elicitation/create')) });
      assert.match((await post('tasks/get', { taskId: 'asking' })).text, /inputRequests/);
      answerJson({ resultType: 'complete', ...taskNamed('asking', state('sampling/createMessage')) });
      const refused = await post('tasks/get', { taskId: 'asking' });
      assert.equal(rpcError(refused)?.code, 4030);
      assert.doesNotMatch(refused.text, /inputRequests/);
    });

    it(`is decided in a notification: ${where}`, async () => {
      answerEvents(
        notificationOf('asking', state('sampling/createMessage')),
        notificationOf('asking', { ...state('elicitation/create'), statusMessage: 'may ask' }),
      );
      const { text } = await post('subscriptions/listen', { notifications: { taskIds: ['asking'] } });
      assert.match(text, /may ask/);
      assert.doesNotMatch(text, /sampling/);
    });
  }

  it('cannot hide behind another case', async () => {
    for (const state of [
      { InputRequests: asks('sampling/createMessage').inputRequests },
      { Result: asks('sampling/createMessage') },
      { result: { InputRequests: asks('sampling/createMessage').inputRequests } },
    ]) {
      answerJson({ resultType: 'complete', ...taskNamed('asking', state) });
      assert.equal(rpcError(await post('tasks/get', { taskId: 'asking' }))?.code, 5020, JSON.stringify(state));
    }
  });
});

describe('listening to tasks', () => {
  before(async () => {
    await start('heard');
    await start('foreign', { user: 'bob' });
  });

  it('is for one’s own', async () => {
    answerEvents({ jsonrpc: '2.0', id: 1, result: { resultType: 'complete' } });
    assert.match((await post('subscriptions/listen', { notifications: { taskIds: ['heard'] } })).text, /complete/);
    upstream.arrived.length = 0;
    for (const taskIds of [['heard', 'foreign'], ['nobodys'], 'heard', ['heard', 1]]) {
      assert.equal(rpcError(await post('subscriptions/listen', { notifications: { taskIds } }))?.code, -32602, JSON.stringify(taskIds));
    }
    assert.equal((await post('subscriptions/listen', { notifications: { taskIds: ['heard'], TaskIds: ['foreign'] } })).status, 400);
    assert.equal(upstream.arrived.length, 0);
  });

  it('gives no notification about others, whatever was asked for', async () => {
    answerEvents(notificationOf('foreign'), notificationOf('nobodys'), notificationOf('heard'));
    const { text } = await post('subscriptions/listen', { notifications: { taskIds: ['heard'] } });
    assert.match(text, /heard/);
    assert.doesNotMatch(text, /foreign|nobodys/);
  });
});
