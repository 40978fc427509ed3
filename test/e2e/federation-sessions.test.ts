import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type FederatedGate, INITIALIZE, MODERN_META, rpc, startFederatedGate, until } from '../support/federated-gate.ts';
import { type Answer, MCP_HEADERS, send } from '../support/mcp-request.ts';
import { type OpenStream, openStream } from '../support/open-stream.ts';
import type { ScriptedServer } from '../support/scripted-server.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource) unless { resource.name == "hidden" };
permit (principal, action == Action::"ReadResource", resource) unless { resource.uri like "file:///hidden*" };
permit (principal, action == Action::"AskClient", resource) unless { resource.name == "sampling/createMessage" };
`;

let to: FederatedGate;
let alpha: ScriptedServer;
let beta: ScriptedServer;
const opened: OpenStream[] = [];

before(async () => {
  to = await startFederatedGate(['alpha', 'beta'], { policies: POLICIES });
  ({ alpha, beta } = to.servers as { alpha: ScriptedServer; beta: ScriptedServer });
});
after(() => to.stop());
beforeEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  await until(() => alpha.streams.size + beta.streams.size === 0);
  for (const server of [alpha, beta]) {
    server.results.set('tools/call', { content: [] });
    server.arrived.length = 0;
  }
});

const call = (name: string, id: unknown = 1) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } });
const LIST = { jsonrpc: '2.0', id: 'l', method: 'tools/list' };

function end(session: string, token = to.alice, path = '/mcp'): Promise<Answer> {
  return send(to.gate.port, { method: 'DELETE', path, headers: { authorization: `Bearer ${token}`, 'mcp-session-id': session } });
}

function listen(session: string, headers: Record<string, string> = {}): OpenStream {
  const authorization = `Bearer ${to.alice}`;
  const stream = openStream(to.gate.port, {
    path: '/mcp',
    headers: { authorization, accept: 'text/event-stream', 'mcp-session-id': session, ...headers },
  });
  opened.push(stream);
  return stream;
}

/** A stream that hears of both servers. */
async function listenToBoth(session: string): Promise<OpenStream> {
  const stream = listen(session);
  await until(() => alpha.streams.size === 1 && beta.streams.size === 1);
  return stream;
}

describe('a session with all servers', () => {
  it('is opened with each, in the words of the agent, and answered as one server', async () => {
    const answer = await to.post(INITIALIZE);
    const { result } = rpc(answer);
    assert.equal(result.protocolVersion, '2025-11-25');
    assert.equal(result.serverInfo.name, 'sidegate');
    assert.deepEqual(result.capabilities, {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    });
    assert.doesNotMatch(answer.text, /hidden|instructions|alpha/);
    for (const server of [alpha, beta]) {
      assert.deepEqual(server.messages('initialize')[0]?.params, INITIALIZE.params);
      assert.equal(server.messages('notifications/initialized').length, 1);
    }
  });

  it('answers an unknown revision with one that it knows', async () => {
    const { result } = rpc(await to.post({ ...INITIALIZE, params: { ...INITIALIZE.params, protocolVersion: '1999-01-01' } }));
    assert.equal(result.protocolVersion, '2025-11-25');
  });

  it('sends each server its own session and revision, and never the one that the agent holds', async () => {
    const session = await to.initialize();
    await to.post(call('alpha.open'), { session, headers: { 'mcp-protocol-version': '2025-11-25' } });
    const arrived = alpha.arrived.find(({ body }) => body.includes('tools/call'));
    assert.ok(alpha.sessions.has(String(arrived?.headers['mcp-session-id'])));
    assert.equal(arrived?.headers['mcp-protocol-version'], '2025-06-18');
    for (const server of [alpha, beta]) assert.ok(!server.arrived.some(({ headers }) => headers['mcp-session-id'] === session));
  });

  it('does not exist for another user, at another endpoint, under a guessed id, or after its end', async () => {
    const session = await to.initialize();
    const bob = await to.gate.token('bob');
    alpha.arrived.length = 0;
    const unknown = async (answer: Promise<Answer>) => assert.equal((await answer).status, 404);
    await unknown(to.post(LIST, { session, token: bob }));
    await unknown(to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session, token: bob }));
    await unknown(to.post(LIST, { session: `${session}A` }));
    await unknown(to.post(LIST, { session, path: '/alpha/mcp' }));
    await unknown(end(session, bob));
    assert.equal((await listen(session, { authorization: `Bearer ${bob}` }).head).status, 404);
    assert.equal(alpha.arrived.length, 0);
    assert.equal((await to.post(LIST, { session })).status, 200, 'and goes on for its own');
    const open = alpha.sessions.size;
    assert.equal((await end(session)).status, 204);
    assert.equal(alpha.sessions.size, open - 1, 'the servers are told');
    await unknown(to.post(LIST, { session }));
  });

  it('is opened again at a server that has forgotten it, once, before the message is sent', async () => {
    const session = await to.initialize();
    alpha.sessions.clear();
    alpha.arrived.length = 0;
    assert.ok(rpc(await to.post(call('alpha.open'), { session })).result);
    assert.equal(alpha.messages('initialize').length, 1);
    assert.equal(alpha.messages('tools/call').length, 2, 'refused unread, then sent');
    assert.equal(beta.messages('initialize').length, 1);
  });

  it('never sends a call twice that may have run', async () => {
    const session = await to.initialize();
    alpha.results.set('tools/call', (_message: unknown, response: { destroy(): void }) => response.destroy());
    assert.equal(rpc(await to.post(call('alpha.open'), { session })).error?.code, 5020);
    assert.equal(alpha.messages('tools/call').length, 1);
  });

  it('waits for a server that takes its time', async () => {
    alpha.hang(true);
    const opening = to.initialize();
    await until(() => alpha.arrived.length > 0 && beta.messages('initialize').length > 0);
    alpha.hang(false);
    const session = await opening;
    assert.ok(rpc(await to.post(call('alpha.open'), { session })).result);
  });

  it('answers pings by itself', async () => {
    const session = await to.initialize();
    alpha.arrived.length = 0;
    assert.deepEqual(rpc(await to.post({ jsonrpc: '2.0', id: 7, method: 'ping' }, { session })), { jsonrpc: '2.0', id: 7, result: {} });
    assert.equal(alpha.arrived.length, 0);
  });

  it('has every server told of a log level, also those that come later', async () => {
    const session = await to.initialize();
    const level = { jsonrpc: '2.0', id: 2, method: 'logging/setLevel', params: { level: 'error' } };
    assert.deepEqual(rpc(await to.post(level, { session })).result, {});
    assert.equal(beta.messages('logging/setLevel').length, 1);
    beta.sessions.clear();
    await to.post(call('beta.open'), { session });
    assert.equal(beta.messages('logging/setLevel').length, 2);
  });

  it('takes a batch of 2025-03-26, each message to its server', async () => {
    const session = await to.initialize();
    const headers = { accept: 'application/json' };
    const answer = await to.post([call('alpha.open', 1), call('beta.open', 2), call('alpha.hidden', 3)], { session, headers });
    const answers = JSON.parse(answer.text) as { id: number; error?: { code: number } }[];
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      [
        [1, undefined],
        [2, undefined],
        [3, 4030],
      ],
    );
    assert.deepEqual([alpha.messages('tools/call').length, beta.messages('tools/call').length], [1, 1]);
  });

  it('leaves one record for each part, and for what it answers or refuses by itself', async () => {
    const token = await to.gate.token('recorded');
    const session = await to.initialize({ token });
    await to.post(call('alpha.recorded'), { session, token });
    await to.post(call('nobody.recorded'), { session, token });
    const records = () => to.gate.audit().filter(({ user, method }) => user?.id === 'recorded' && method !== 'notifications/initialized');
    await until(() => records().length >= 5);
    assert.deepEqual(
      records()
        .map(({ server, method, outcome, effect }) => `${server} ${method} ${outcome} ${effect}`)
        .sort(),
      [
        ' initialize ok allow',
        ' tools/call rejected allow',
        'alpha initialize ok allow',
        'alpha tools/call ok allow',
        'beta initialize ok allow',
      ],
    );
  });
});

describe('requests of servers', () => {
  const ASK = (id: unknown, method = 'elicitation/create') => ({ jsonrpc: '2.0', id, method, params: { message: 'sure?' } });
  const answerTo = (id: unknown) => ({ jsonrpc: '2.0', id, result: { action: 'accept' } });
  const answered = ({ arrived }: ScriptedServer) =>
    arrived.filter(({ body }) => body.includes('"action"')).map(({ body }) => body.toString());

  it('come under ids that no two servers share, and each answer reaches the one that asked', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    alpha.say(ASK(5));
    beta.say(ASK('5'));
    await until(() => stream.messages().length === 2);
    const ids = stream.messages().map(({ id }) => id);
    assert.deepEqual(ids.sort(), ['alpha.5', 'beta."5"']);
    assert.equal((await to.post(answerTo('alpha.5'), { session })).status, 202);
    assert.equal((await to.post(answerTo('beta."5"'), { session })).status, 202);
    assert.deepEqual(answered(alpha), ['{"jsonrpc":"2.0","id":5,"result":{"action":"accept"}}']);
    assert.deepEqual(answered(beta), ['{"jsonrpc":"2.0","id":"5","result":{"action":"accept"}}']);
    stream.close();
  });

  it('are answered by nobody else, to nobody else, and once', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    alpha.say(ASK(6));
    await until(() => stream.messages().length === 1);
    for (const id of ['beta.6', 6, 'alpha."6"', 'alpha.7', 'gamma.6', 'alpha.', 'alpha.6,"method":"x"', 'alpha.[6]', 'alpha.06'])
      assert.equal((await to.post(answerTo(id), { session })).status, 400, String(id));
    const another = await to.initialize();
    assert.equal((await to.post(answerTo('alpha.6'), { session: another })).status, 400);
    assert.equal((await to.post(answerTo('alpha.6'), { session, token: await to.gate.token('bob') })).status, 404);
    assert.deepEqual([answered(alpha), answered(beta)], [[], []]);
    assert.equal((await to.post(answerTo('alpha.6'), { session })).status, 202);
    assert.equal((await to.post(answerTo('alpha.6'), { session })).status, 400);
    assert.equal(answered(alpha).length, 1);
    stream.close();
  });

  it('stay governed', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    alpha.say(ASK(8, 'sampling/createMessage'));
    await until(() => alpha.arrived.some(({ body }) => body.includes('4030')));
    alpha.say(ASK(9));
    await until(() => stream.messages().length === 1);
    assert.doesNotMatch(stream.text(), /sampling/);
    stream.close();
  });

  it('come during a call as well, and can be taken back', async () => {
    const session = await to.initialize();
    alpha.results.set(
      'tools/call',
      (message: { id?: unknown }, response: { writeHead(status: number, headers: object): void; end(text: string): void }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const events = [
          ASK('q', 'roots/list'),
          { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'q' } },
          { jsonrpc: '2.0', id: message.id, result: { content: [] } },
        ];
        response.end(events.map((event, index) => `id: ${index}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
      },
    );
    const { text } = await to.post(call('alpha.open'), { session });
    assert.match(text, /^id: alpha\.0\nevent: message\ndata: .*"id":"alpha\.\\"q\\""/);
    assert.match(text, /"requestId":"alpha\.\\"q\\""/);
  });
});

describe('what the agent tells', () => {
  it('reaches the server that it concerns: a cancelled call', async () => {
    const session = await to.initialize();
    const held: { end(): void }[] = [];
    alpha.results.set('tools/call', (_message: unknown, response: { end(): void }) => void held.push(response));
    const calling = to.post(call('alpha.open', 'c'), { session });
    await until(() => held.length === 1);
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'c' } };
    assert.equal((await to.post(cancelled, { session })).status, 202);
    assert.equal(alpha.messages('notifications/cancelled').length, 1);
    assert.equal(beta.messages('notifications/cancelled').length, 0);
    held[0]?.end();
    await calling;
  });

  it('reaches every server: changed roots', async () => {
    const session = await to.initialize();
    await to.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' }, { session });
    for (const server of [alpha, beta]) assert.equal(server.messages('notifications/roots/list_changed').length, 1);
  });

  it('reaches the server that wants to know: progress', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    beta.say({ jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: { _meta: { progressToken: 'p' } } });
    await until(() => stream.messages().length === 1);
    const [asked] = stream.messages() as { readonly params: { readonly _meta: { readonly progressToken: unknown } } }[];
    const token = asked?.params._meta.progressToken;
    const progress = (progressToken: unknown) => ({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    });
    for (const progressToken of [token, 'p', 1, 'gamma."p"'])
      assert.equal((await to.post(progress(progressToken), { session })).status, 202);
    assert.deepEqual(
      [alpha, beta].map((server) => server.messages('notifications/progress').map(({ params }) => params?.['progressToken'])),
      [[], ['p']],
    );
    stream.close();
  });

  it('goes nowhere when nobody knows it', async () => {
    const session = await to.initialize();
    assert.equal((await to.post({ jsonrpc: '2.0', method: 'notifications/made-up' }, { session })).status, 403);
    for (const server of [alpha, beta]) assert.equal(server.messages('notifications/made-up').length, 0);
  });
});

describe('the stream of a session', () => {
  it('carries what each server says, under the names that the agent knows', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    beta.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'file:///open' } });
    beta.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'file:///hidden' } });
    alpha.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'file:///open' } });
    await until(() => stream.messages().length === 2);
    const said = stream.messages().map(({ params }) => JSON.stringify(params));
    assert.deepEqual(said.sort(), ['{"level":"info","data":"file:///open"}', '{"uri":"beta+file:///open"}']);
    assert.match(stream.text(), /^id: \*beta\.1$/m);
    assert.doesNotMatch(stream.text(), /hidden/);
    stream.close();
    await until(() => alpha.streams.size === 0 && beta.streams.size === 0);
  });

  it('tells of changed lists, in the words of one server', async () => {
    const session = await to.initialize();
    const stream = await listenToBoth(session);
    for (const server of [alpha, beta, alpha]) server.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    alpha.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } });
    const told = () => stream.messages().filter(({ method }) => method === 'notifications/tools/list_changed');
    await until(() => told().length > 0 && stream.messages().length > told().length);
    for (const one of told()) assert.deepEqual(one, { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    stream.close();
  });

  it('is resumed at the server where it broke', async () => {
    const session = await to.initialize();
    const stream = listen(session, { 'last-event-id': '*beta.some.id' });
    await until(() => alpha.streams.size === 1 && beta.streams.size === 1);
    const opened = (server: ScriptedServer) => server.arrived.find(({ method }) => method === 'GET')?.headers['last-event-id'];
    assert.deepEqual([opened(alpha), opened(beta)], [undefined, 'some.id']);
    stream.close();
  });

  it('brings the answer of a call whose stream broke, under the names that the agent knows', async () => {
    const session = await to.initialize();
    alpha.results.set(
      'tools/call',
      (_message: unknown, response: { writeHead(status: number, headers: object): void; end(text: string): void }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end('id: e1\nretry: 5\ndata: \n\n');
      },
    );
    const broken = await to.post(call('alpha.open', 'c'), { session });
    assert.equal(broken.text, 'id: alpha.e1\nretry: 5\ndata: \n\n');
    const all = await listenToBoth(session);
    const stream = listen(session, { 'last-event-id': 'alpha.e1' });
    await until(() => alpha.streams.size === 2);
    alpha.say({ jsonrpc: '2.0', id: 'c', result: { content: [{ type: 'resource_link', uri: 'file:///open', name: 'l' }] } });
    await until(() => stream.messages().length === 1);
    assert.deepEqual(stream.messages()[0]?.['result'], { content: [{ type: 'resource_link', uri: 'alpha+file:///open', name: 'l' }] });
    assert.equal(all.isEnded(), false, 'the stream of all servers goes on');
    stream.close();
    all.close();
  });

  it('gives way to a new one of its session, and hears of a server that joins', async () => {
    const session = await to.initialize();
    const first = await listenToBoth(session);
    const second = listen(session);
    await until(() => first.isEnded());
    await until(() => alpha.streams.size === 1 && beta.streams.size === 1);
    beta.sessions.clear();
    for (const stream of beta.streams) stream.end();
    await to.post(call('beta.open'), { session });
    await until(() => beta.streams.size === 1);
    beta.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'back' } });
    await until(() => second.text().includes('back'));
    second.close();
  });

  it('does not exist without a session', async () => {
    const authorization = `Bearer ${to.alice}`;
    const answer = await send(to.gate.port, { method: 'GET', path: '/mcp', headers: { authorization, accept: 'text/event-stream' } });
    assert.equal(answer.status, 400);
  });
});

describe('an agent that goes away', () => {
  const abandoned = (server: ScriptedServer) => server.abandoned.filter(({ body }) => body.includes('given-up'));
  const hold = (server: ScriptedServer) => {
    const held: { end(): void }[] = [];
    server.results.set('tools/call', (_message: unknown, response: { end(): void }) => void held.push(response));
    return held;
  };
  const open = (message: unknown, headers: Record<string, string>) =>
    openStream(to.gate.port, {
      method: 'POST',
      path: '/mcp',
      headers: { ...MCP_HEADERS, authorization: `Bearer ${to.alice}`, ...headers },
      body: JSON.stringify(message),
    });

  it('cancels its call in the modern era', async () => {
    const held = hold(alpha);
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'alpha.given-up' };
    const params = { name: 'alpha.given-up', arguments: {}, _meta: MODERN_META };
    const calling = open({ ...call('alpha.given-up'), params }, headers);
    await until(() => held.length === 1);
    calling.close();
    await until(() => abandoned(alpha).length === 1);
  });

  it('does not in the legacy era', async () => {
    const held = hold(beta);
    const session = await to.initialize();
    const calling = open(call('beta.given-up'), { 'mcp-session-id': session });
    await until(() => held.length === 1);
    calling.close();
    await until(() => calling.isEnded());
    assert.ok(rpc(await to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session })).result);
    assert.deepEqual(abandoned(beta), []);
    for (const response of held) response.end();
  });
});

describe('a message without a session', () => {
  it('reaches servers that need none, and is refused by the others', async () => {
    alpha.results.set('tools/call', { content: [] });
    const answer = await to.post(call('alpha.open'));
    assert.equal(answer.status, 400);
    assert.equal(rpc(answer).error?.code, -32000);
  });
});
