import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer, Bench, type Got, got, type Message, permit, plain, type Sent, until } from './bench.ts';

interface From {
  readonly server?: string;
  readonly user?: string;
  readonly credential?: string;
  readonly client?: string;
}

function call(bench: Bench, params: object = {}, from: From = {}): Promise<Got> {
  return post(bench, 'tools/call', { name: 'x', ...params }, from);
}

function post(
  bench: Bench,
  method: string,
  params: object,
  { server = 'legacy-one', user = 'alice', credential, client = 'c' }: From = {},
  hear?: (messages: readonly Message[]) => void,
): Promise<Got> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    'io.modelcontextprotocol/clientInfo': { name: client, version: '1' },
  };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 'm', method, params: { ...params, _meta } }));
  const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28' };
  return got((handler) => bench.leg.post(permit(server, user, credential), headers, body, handler), hear);
}

const ASKS = { jsonrpc: '2.0', id: 12, method: 'elicitation/create', params: { message: '?' } };
/** Asks something at each call, and answers when it may go on. */
const asking = (request: Sent) =>
  request.message.method === 'tools/call' ? { stream: [ASKS, answer(request.message.id, { content: ['done'] })] } : plain(request);

describe('a session with a legacy server', () => {
  it('is shared by the requests of one user with one credential, and by nobody else', async (t) => {
    const bench = new Bench(t);
    await Promise.all([call(bench), call(bench), call(bench)]);
    assert.equal(bench.sentWith('initialize').length, 1);
    await call(bench, {}, { user: 'bob' });
    await call(bench, {}, { credential: 'other' });
    await call(bench, {}, { server: 'legacy-two' });
    assert.equal(bench.sentWith('initialize').length, 4);
    assert.equal(new Set(bench.sentWith('tools/call').map(({ headers }) => headers['mcp-session-id'])).size, 4);
  });

  it('is one of at most 32 of a user: the one that is unused for longest ends, at its server if policy lets it', async (t) => {
    const bench = new Bench(t);
    for (let client = 0; client < 33; client += 1) {
      bench.nowMs += 1;
      await call(bench, {}, { client: `c${client}` });
    }
    await until(() => bench.sentWith('DELETE').length > 0);
    assert.equal(bench.sentWith('DELETE')[0]?.headers['mcp-session-id'], 'session-1');
    bench.allows = () => false;
    await call(bench, {}, { client: 'one more' });
    assert.equal(bench.sentWith('DELETE').length, 1);
    assert.equal(bench.sentWith('initialize').length, 34);
  });

  it('is opened by the next request when it could not be', async (t) => {
    const bench = new Bench(t);
    bench.says = () => ({ status: 500 });
    assert.match((await call(bench)).refusal, /HTTP status 500/);
    bench.says = plain;
    assert.equal((await call(bench)).messages[0]?.result?.['resultType'], 'complete');
  });

  it('ends when its server is registered no more', async (t) => {
    const bench = new Bench(t);
    bench.says = (request) => (request.message.method === 'tools/call' ? { stream: [] } : plain(request));
    const open = call(bench);
    await until(() => bench.sentWith('tools/call').length > 0);
    bench.routes = [];
    bench.leg.reconcile();
    assert.match((await open).refusal, /no longer registered/);
  });
});

describe('a modern agent’s call that its legacy server asks something about', () => {
  it('goes on with the agent’s answer', async (t) => {
    const bench = new Bench(t);
    bench.says = asking;
    const { result } = (await call(bench)).messages[0] ?? {};
    assert.deepEqual(result?.['inputRequests'], { 'request-1': { method: 'elicitation/create', params: { message: '?' } } });
    const inputResponses = { 'request-1': { action: 'accept' } };
    const retried = await call(bench, { requestState: result?.['requestState'], inputResponses });
    assert.deepEqual(retried.messages.at(-1)?.result?.['content'], ['done']);
    assert.deepEqual(bench.sent.find(({ message }) => message.id === 12)?.message.result, { action: 'accept' });
    assert.equal(bench.sentWith('tools/call').length, 1);
  });

  it('is nobody else’s', async (t) => {
    const bench = new Bench(t);
    bench.says = asking;
    const { result } = (await call(bench)).messages[0] ?? {};
    const retry = { requestState: result?.['requestState'], inputResponses: { 'request-1': { action: 'accept' } } };
    assert.equal((await call(bench, retry, { user: 'bob' })).messages[0]?.error?.code, -32602);
    assert.equal((await call(bench, retry, { server: 'legacy-two' })).messages[0]?.error?.code, -32602);
    assert.equal((await call(bench, { ...retry, name: 'y' })).messages[0]?.error?.code, -32602);
    assert.ok(!bench.sent.some(({ message }) => message.id === 12));
    assert.deepEqual((await call(bench, retry)).messages.at(-1)?.result?.['content'], ['done']);
  });

  it('goes on without an answer when policy does not let the server ask, which is told so', async (t) => {
    const bench = new Bench(t);
    bench.says = asking;
    bench.allows = (method) => method !== 'http/server-request';
    assert.deepEqual((await call(bench)).messages.at(-1)?.result?.['content'], ['done']);
    assert.equal(bench.sent.find(({ message }) => message.id === 12)?.message.error?.code, 4030);
  });

  it('is cancelled when the agent does not come back', async (t) => {
    const bench = new Bench(t, { answerTimeoutMs: 50 });
    bench.says = asking;
    const { result } = (await call(bench)).messages[0] ?? {};
    await until(() => bench.sentWith('notifications/cancelled').length > 0);
    assert.ok(bench.sentWith('tools/call')[0]?.isAborted());
    const late = await call(bench, { requestState: result?.['requestState'], inputResponses: { 'request-1': { action: 'accept' } } });
    assert.equal(late.messages[0]?.error?.code, -32602);
    assert.ok(!bench.sent.some(({ message }) => message.id === 12));
  });

  it('is one of at most 64 of a user', async (t) => {
    const bench = new Bench(t);
    bench.says = asking;
    for (let calls = 0; calls < 64; calls += 1) await call(bench);
    assert.match((await call(bench)).refusal, /too many calls wait/);
    assert.equal((await call(bench, {}, { user: 'bob' })).messages[0]?.result?.['resultType'], 'input_required');
  });
});

describe('a subscription to a legacy server', () => {
  const NOTIFICATIONS = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['note://a', 'note://b'] };
  const listen = (bench: Bench, hear?: (messages: readonly Message[]) => void) =>
    post(bench, 'subscriptions/listen', { notifications: NOTIFICATIONS }, {}, hear);
  const updated = (uri: string) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
  const changed = (kind: string) => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
  /** Announces changes of tools, takes subscriptions to one resource, and says this on its stream. */
  const announcing =
    (...said: readonly Message[]) =>
    (request: Sent) => {
      const { id, method, params } = request.message;
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
      if (method === 'initialize') return { message: answer(id, { protocolVersion: '2025-11-25', capabilities }) };
      if (request.http === 'GET') return { stream: said };
      if (method === 'resources/subscribe' && params?.['uri'] !== 'note://a')
        return { message: { jsonrpc: '2.0', id, error: { code: -32002, message: 'none' } } };
      return plain(request);
    };

  it('begins with what the server gives, and carries that alone', async (t) => {
    const bench = new Bench(t);
    bench.says = announcing(updated('note://b'), changed('prompts'), changed('tools'));
    let heard: readonly Message[] = [];
    const listening = listen(bench, (messages) => {
      heard = messages;
    });
    await until(() => heard.length > 0);
    assert.deepEqual(heard[0]?.params, {
      notifications: { toolsListChanged: true, resourceSubscriptions: ['note://a'] },
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'm' },
    });
    bench.routes = [];
    bench.leg.reconcile();
    const { messages } = await listening;
    assert.deepEqual(messages.at(-1)?.result, { resultType: 'complete', _meta: { 'io.modelcontextprotocol/subscriptionId': 'm' } });
    assert.ok(!messages.some(({ method, params }) => method === 'notifications/prompts/list_changed' || params?.['uri'] === 'note://b'));
  });

  it('ends at once with a server that has no stream', async (t) => {
    const bench = new Bench(t);
    bench.says = (request) => (request.http === 'GET' ? { status: 405 } : announcing()(request));
    const { messages } = await listen(bench);
    assert.deepEqual(messages[0]?.params?.['notifications'], {});
    assert.equal(messages.at(-1)?.result?.['resultType'], 'complete');
    assert.equal(bench.sentWith('resources/subscribe').length, 0);
  });

  it('lets the server ask about nothing when no one call is open', async (t) => {
    const bench = new Bench(t);
    bench.says = announcing(ASKS);
    void listen(bench);
    await until(() => bench.sent.some(({ message }) => message.id === 12));
    assert.equal(bench.sent.find(({ message }) => message.id === 12)?.message.error?.code, -32601);
  });

  it('lets the server ask about a call that is the only one, and about none of several', async (t) => {
    for (const [calls, asked] of [
      [1, true],
      [2, false],
    ] as const) {
      const bench = new Bench(t);
      const ask = Promise.withResolvers<void>();
      bench.says = (request) => {
        if (request.http === 'GET') return { stream: [], later: [ask.promise, ASKS] };
        return request.message.method === 'tools/call' ? { stream: [] } : plain(request);
      };
      const open = Array.from({ length: calls }, () => call(bench));
      await until(() => bench.sentWith('tools/call').length === calls);
      ask.resolve();
      if (asked) assert.equal((await open[0])?.messages[0]?.result?.['resultType'], 'input_required');
      else await until(() => bench.sent.find(({ message }) => message.id === 12)?.message.error?.code === -32601);
    }
  });

  it('names so many resources, and no more', async (t) => {
    const bench = new Bench(t);
    bench.says = announcing();
    for (const resourceSubscriptions of [Array.from({ length: 257 }, (_, index) => `note://${index}`), 'note://a', [7]]) {
      assert.match((await post(bench, 'subscriptions/listen', { notifications: { resourceSubscriptions } })).refusal, /at most 256/);
    }
    assert.equal(bench.sentWith('resources/subscribe').length, 0);
  });
});
