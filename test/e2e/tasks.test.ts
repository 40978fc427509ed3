import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { type Arrived, json, startUpstream, type Upstream } from '../support/upstream.ts';

const policies = (tools: string) => `
@id("tools")
permit (principal, action == Action::"CallUndeclaredTool", resource) when { [${tools}].contains(resource.name) };
@id("may-elicit")
permit (principal, action == Action::"AskClient", resource) when { resource.name == "elicitation/create" };
@id("nothing-is-cancelled-there")
@reason("tasks of this server are not cancelled")
forbid (principal, action == Action::"SendMethod", resource == Method::"other/tasks/cancel");
@id("proprietary")
permit (principal, action == Action::"SendMethod", resource == Method::"jobs/tasks/restart");
`;
const ALL_TOOLS = '"research", "report"';

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({ servers: { jobs: upstream.url, other: upstream.url }, policies: policies(ALL_TOOLS) });
  for (const user of ['alice', 'bob', 'carol', 'dave']) tokens[user] = await gate.token(user);
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.arrived.length = 0;
});

const rpc = (method: string, params: unknown = {}, id: number | string = 1) => JSON.stringify({ jsonrpc: '2.0', id, method, params });
const event = (message: unknown, id?: string) => `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`;
const taskNamed = (taskId: string) => ({ taskId, status: 'working', createdAt: '2026-01-01T00:00:00Z', ttl: 60_000 });
const statusOf = (taskId: string) => ({ jsonrpc: '2.0', method: 'notifications/tasks/status', params: taskNamed(taskId) });
const idOf = ({ body }: Arrived): unknown => JSON.parse(body.toString()).id;

interface As {
  readonly user?: string;
  readonly server?: string;
  readonly headers?: Record<string, string>;
}

function post(body: string, { user = 'alice', server = 'jobs', headers = {} }: As = {}): Promise<Answer> {
  return send(gate.port, {
    path: `/${server}/mcp`,
    body,
    headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[user]}`, ...headers },
  });
}

function get({ user = 'alice', server = 'jobs', headers = {} }: As = {}): Promise<Answer> {
  return send(gate.port, {
    method: 'GET',
    path: `/${server}/mcp`,
    headers: { accept: 'text/event-stream', authorization: `Bearer ${tokens[user]}`, ...headers },
  });
}

const answerJson = (result: unknown) =>
  upstream.behave((request, response) => json(response, { jsonrpc: '2.0', id: idOf(request), result }));
const answerEvents = (...events: string[]) =>
  upstream.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.join(''));
  });

/** Calls a tool that becomes a task. */
async function start(taskId: string, { tool = 'research', ...as }: As & { readonly tool?: string } = {}): Promise<void> {
  answerJson({ task: taskNamed(taskId) });
  const { text } = await post(rpc('tools/call', { name: tool, arguments: {}, task: { ttl: 60_000 } }), as);
  assert.match(text, /"taskId"/);
  answerJson({ content: [{ type: 'text', text: 'the result' }] });
  upstream.arrived.length = 0;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail('not in time');
}

describe('a task', () => {
  it('needs no more than the permission for its tool', async () => {
    await start('t-own');
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      assert.match((await post(rpc(method, { taskId: 't-own' }))).text, /the result/, method);
    }
    assert.equal(upstream.arrived.length, 3);
    await until(async () => gate.audit().filter(({ method, target }) => method.startsWith('tasks/') && target === 'research').length === 3);
  });

  it('is learned from an event stream as well, and before a later event tells of it', async () => {
    answerEvents(event({ jsonrpc: '2.0', id: 1, result: { task: taskNamed('t-sse') } }), event(statusOf('t-sse')));
    const { text } = await post(rpc('tools/call', { name: 'research', task: {} }));
    assert.match(text, /notifications\/tasks\/status/);
    answerJson({ ...taskNamed('t-sse') });
    assert.match((await post(rpc('tasks/get', { taskId: 't-sse' }))).text, /"working"/);
  });

  it('is learned from a stream that is resumed', async () => {
    // The answer to the call itself breaks off.
    answerEvents('id: 1\ndata:\n\n');
    await post(rpc('tools/call', { name: 'research', task: {} }, 'call-"7"'));
    answerEvents(event({ jsonrpc: '2.0', id: 'call-"7"', result: { task: taskNamed('t-resumed') } }, '2'));
    await get({ user: 'bob', headers: { 'last-event-id': '1' } });
    answerJson({});
    assert.equal(rpcError(await post(rpc('tasks/get', { taskId: 't-resumed' }), { user: 'bob' }))?.code, -32602, 'not by somebody else');
    answerEvents(event({ jsonrpc: '2.0', id: 'call-"7"', result: { task: taskNamed('t-resumed') } }, '2'));
    await get({ headers: { 'last-event-id': '1' } });
    answerJson({ content: [] });
    assert.match((await post(rpc('tasks/result', { taskId: 't-resumed' }))).text, /"result"/);
  });

  it('does not come from anything but a call of a tool', async () => {
    answerJson({ task: taskNamed('t-forged'), messages: [] });
    await post(rpc('logging/setLevel', { level: 'info' }));
    answerEvents(event({ jsonrpc: '2.0', id: 'nobody asked', result: { task: taskNamed('t-forged') } }));
    await get();
    await post(rpc('tools/call', { name: 'research', task: {} }));
    answerJson({});
    assert.equal(rpcError(await post(rpc('tasks/get', { taskId: 't-forged' })))?.code, -32602);
  });
});

describe('a task of somebody else', () => {
  before(() => start('t-alice'));

  it('does not exist for bob, exactly as one that nobody has', async () => {
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/update', 'tasks/restart']) {
      const [guessed, unknown] = [
        await post(rpc(method, { taskId: 't-alice' }), { user: 'bob' }),
        await post(rpc(method, { taskId: 't-nobody' }), { user: 'bob' }),
      ];
      assert.equal(rpcError(guessed)?.code, -32602, method);
      assert.equal(guessed.text, unknown.text);
      assert.equal(guessed.status, unknown.status);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('is recorded as refused, under the name of who asked', async () => {
    await until(async () =>
      gate.audit().some(({ code, user, effect }) => code === 'unknown_task' && user?.id === 'bob' && effect === 'deny'),
    );
  });

  it('does not exist at another server of the same user', async () => {
    assert.equal(rpcError(await post(rpc('tasks/get', { taskId: 't-alice' }), { server: 'other' }))?.code, -32602);
    assert.equal(upstream.arrived.length, 0);
  });

  it('may have the same id: each user and each server has its own', async () => {
    await start('1', { user: 'alice', tool: 'research' });
    await start('1', { user: 'bob', tool: 'report' });
    await start('1', { user: 'bob', server: 'other', tool: 'research' });
    for (const as of [{ user: 'alice' }, { user: 'bob' }, { user: 'bob', server: 'other' }]) {
      assert.match((await post(rpc('tasks/result', { taskId: '1' }), as)).text, /the result/);
    }
    assert.equal(rpcError(await post(rpc('tasks/result', { taskId: '1' }), { user: 'alice', server: 'other' }))?.code, -32602);
  });

  it('is not asked for without a user', async () => {
    const answer = await send(gate.port, { path: '/jobs/mcp', body: rpc('tasks/get', { taskId: 't-alice' }), headers: { ...MCP_HEADERS } });
    assert.equal(rpcError(answer)?.code, 4030);
    assert.equal(upstream.arrived.length, 0);
  });

  it('is not reached by a parameter that is no text, or is written twice', async () => {
    for (const params of ['{}', '{"taskId":["t-alice"]}', '{"taskId":{"toString":"t-alice"}}', '{"taskId":null}']) {
      assert.equal(rpcError(await post(`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":${params}}`))?.code, -32602, params);
    }
    for (const params of ['{"taskId":"t-bob","TaskId":"t-alice"}', '{"taskId":"t-bob","taskId":"t-alice"}']) {
      assert.equal((await post(`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":${params}}`)).status, 400, params);
    }
    assert.equal(upstream.arrived.length, 0);
  });
});

describe('a list of tasks', () => {
  const listed = { tasks: [taskNamed('c-1'), taskNamed('d-1'), { status: 'working' }, taskNamed('c-2')], nextCursor: 'more' };
  const idsIn = ({ text }: Answer) => [...text.matchAll(/"taskId":"([^"]*)"/g)].map(([, id]) => id);

  before(async () => {
    await start('c-1', { user: 'carol' });
    await start('c-2', { user: 'carol', tool: 'report' });
    await start('d-1', { user: 'dave' });
  });

  it('shows each user only what is theirs, as JSON', async () => {
    answerJson(listed);
    const carols = await post(rpc('tasks/list'), { user: 'carol' });
    assert.deepEqual(idsIn(carols), ['c-1', 'c-2']);
    assert.match(carols.text, /"nextCursor":"more"/);
    assert.deepEqual(idsIn(await post(rpc('tasks/list'), { user: 'dave' })), ['d-1']);
    assert.deepEqual(idsIn(await post(rpc('tasks/list'), { user: 'bob' })), []);
  });

  it('in an event stream, and when it is replayed on a GET stream', async () => {
    answerEvents(event({ jsonrpc: '2.0', id: 1, result: listed }));
    assert.deepEqual(idsIn(await post(rpc('tasks/list'), { user: 'carol' })), ['c-1', 'c-2']);
    assert.deepEqual(idsIn(await get({ user: 'dave', headers: { 'last-event-id': '1' } })), ['d-1']);
  });

  it('cannot hide behind another case', async () => {
    answerJson({ tasks: [], Tasks: [taskNamed('d-1')] });
    assert.equal(rpcError(await post(rpc('tasks/list'), { user: 'carol' }))?.code, 5020);
  });
});

describe('a notification about a task', () => {
  before(async () => {
    await start('n-carol', { user: 'carol' });
    await start('n-dave', { user: 'dave' });
  });

  const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } };
  const events = [statusOf('n-dave'), statusOf('n-carol'), statusOf('n-nobody'), { ...statusOf('x'), params: {} }, progress].map((one) =>
    event(one),
  );

  for (const [where, receive] of [
    ['on the GET stream', () => get({ user: 'carol' })],
    ['on a stream that is resumed', () => get({ user: 'carol', headers: { 'last-event-id': '4' } })],
    ['on the stream of a call', () => post(rpc('tools/call', { name: 'research' }), { user: 'carol' })],
  ] as const) {
    it(`reaches whose task it is, and nobody else: ${where}`, async () => {
      answerEvents(...events);
      const { text } = await receive();
      assert.match(text, /n-carol/);
      assert.match(text, /notifications\/progress/);
      assert.doesNotMatch(text, /n-dave|n-nobody/);
      assert.equal(text.match(/tasks\/status/g)?.length, 1);
    });
  }

  it('that can be read in two ways ends the stream', async () => {
    answerEvents(event({ ...statusOf('n-carol'), params: { taskId: 'n-carol', TaskId: 'n-dave' } }));
    const { text } = await post(rpc('tools/call', { name: 'research' }), { user: 'carol' });
    assert.match(text, /"code":5020/);
    assert.doesNotMatch(text, /n-dave/);
  });
});

describe('what belongs to a task on a stream', () => {
  it('asks the agent under the same policy as without a task', async () => {
    await start('r-1');
    const _meta = { 'io.modelcontextprotocol/related-task': { taskId: 'r-1' } };
    upstream.behave((request, response) => {
      if (!request.body.includes('tasks/result')) return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        [
          { jsonrpc: '2.0', id: 'e', method: 'elicitation/create', params: { message: 'sure?', _meta } },
          { jsonrpc: '2.0', id: 's', method: 'sampling/createMessage', params: { messages: [], _meta } },
          { jsonrpc: '2.0', id: 1, result: { content: [], _meta } },
        ]
          .map((message) => event(message))
          .join(''),
      );
    });
    const { text } = await post(rpc('tasks/result', { taskId: 'r-1' }));
    assert.match(text, /elicitation\/create/);
    assert.doesNotMatch(text, /sampling/);
    assert.match(text, /"content":\[\]/);
  });
});

describe('policy on tasks', () => {
  it('may forbid a method', async () => {
    await start('o-1', { server: 'other' });
    const refused = await post(rpc('tasks/cancel', { taskId: 'o-1' }), { server: 'other' });
    assert.equal(rpcError(refused)?.message, 'tasks of this server are not cancelled');
    assert.match((await post(rpc('tasks/get', { taskId: 'o-1' }), { server: 'other' })).text, /the result/);
    assert.equal(upstream.arrived.length, 1);
  });

  it('permits no method that MCP does not define, unless it names it', async () => {
    await start('p-1');
    assert.match((await post(rpc('tasks/restart', { taskId: 'p-1' }))).text, /the result/);
    assert.equal(rpcError(await post(rpc('tasks/steal', { taskId: 'p-1' })))?.code, 4030);
  });

  it('that takes a tool away takes its tasks away: requests, lists, notifications and results that are replayed', async () => {
    await start('v-research');
    await start('v-report', { tool: 'report' });
    gate.writeBundleFile('policies/policies.cedar', policies('"report"'));
    await until(async () => rpcError(await post(rpc('tools/call', { name: 'research' })))?.code === 4030);
    upstream.arrived.length = 0;
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      assert.equal(rpcError(await post(rpc(method, { taskId: 'v-research' })))?.code, 4030, method);
    }
    assert.equal(upstream.arrived.length, 0);
    answerJson({ tasks: [taskNamed('v-research'), taskNamed('v-report')] });
    const { text } = await post(rpc('tasks/list'));
    assert.match(text, /v-report/);
    assert.doesNotMatch(text, /v-research/);

    const result = (taskId: string) => ({ content: [], _meta: { 'io.modelcontextprotocol/related-task': { taskId } } });
    answerEvents(
      ...[statusOf('v-research'), statusOf('v-report')].map((one) => event(one)),
      ...['v-research', 'v-report'].map((taskId) => event({ jsonrpc: '2.0', id: `of ${taskId}`, result: result(taskId) })),
    );
    const replayed = await get({ headers: { 'last-event-id': '1' } });
    assert.equal(replayed.text.match(/v-report/g)?.length, 3);
    assert.doesNotMatch(replayed.text, /v-research/);

    gate.writeBundleFile('policies/policies.cedar', policies(ALL_TOOLS));
    answerJson({ content: [] });
    await until(async () => rpcError(await post(rpc('tasks/result', { taskId: 'v-research' }))) === undefined);
  });
});
