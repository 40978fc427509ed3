import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer, Bench, type Got, got, type Message, permit, plain, type Sent, until } from './bench.ts';

const ACCEPT = { accept: 'application/json, text/event-stream' };

interface From {
  readonly server?: string;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
}

function post(
  bench: Bench,
  message: Message,
  { server = 'modern-one', user = 'alice', session }: From,
  hear?: (messages: readonly Message[]) => void,
): Promise<Got> {
  const headers = { ...ACCEPT, ...(session !== undefined && { 'mcp-session-id': session }) };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  return got((handler) => bench.leg.post(permit(server, user), headers, body, handler), hear);
}

async function open(bench: Bench, from: From = {}): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: { elicitation: {} }, clientInfo: { name: 'c', version: '1' } };
  const { session } = await post(bench, { id: 0, method: 'initialize', params }, from);
  assert.ok(session !== undefined);
  return session;
}

const PING = { id: 1, method: 'ping' };
const CALL = { id: 7, method: 'tools/call', params: { name: 'x' } };
/** Asks for input at each call. */
const asking = (request: Sent) => {
  const inputRequests = { k: { method: 'elicitation/create', params: {} } };
  return request.message.method === 'tools/call'
    ? { message: answer(request.message.id, { resultType: 'input_required', inputRequests }) }
    : plain(request);
};

describe('a legacy agent’s session at a modern server', () => {
  it('is nobody else’s, and no other server’s', async (t) => {
    const bench = new Bench(t);
    const session = await open(bench);
    assert.equal((await post(bench, PING, { session })).status, 200);
    assert.equal((await post(bench, PING, { session, user: 'bob' })).status, 404);
    assert.equal((await post(bench, PING, { session, server: 'modern-two' })).status, 404);
    assert.equal((await post(bench, PING, {})).status, 400);
    for (const method of ['GET', 'DELETE']) {
      const headers = { accept: 'text/event-stream', 'mcp-session-id': session };
      assert.equal((await got((handler) => bench.leg.stream(permit('modern-one', 'bob'), method, headers, handler))).status, 404);
    }
    assert.equal((await post(bench, PING, { session })).status, 200);
  });

  for (const user of ['', undefined]) {
    it(`is not for somebody who was not verified: ${JSON.stringify(user)}`, async (t) => {
      const bench = new Bench(t);
      const stream = await got((handler) => bench.leg.stream(permit('modern-one', user), 'GET', { 'mcp-session-id': 'x' }, handler));
      assert.match(stream.refusal, /verified users only/);
      const message = { method: 'tools/list', id: 1, params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } };
      assert.match(
        (
          await got((handler) =>
            bench.leg.post(permit('legacy-one', user), ACCEPT, Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })), handler),
          )
        ).refusal,
        /verified users only/,
      );
      assert.equal(bench.sent.length, 0);
    });
  }

  it('ends when its server is registered no more, and when nobody uses it', async (t) => {
    const bench = new Bench(t, { idleMs: 20 });
    const session = await open(bench);
    bench.routes = [];
    bench.leg.reconcile();
    assert.equal((await post(bench, PING, { session })).status, 404);
    const idle = await open(bench);
    bench.nowMs = 21;
    let status = 200;
    // Asking is a use, so the clock goes on each time.
    for (let tries = 0; status === 200 && tries < 500; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      ({ status } = await post(bench, PING, { session: idle }));
      bench.nowMs += 21;
    }
    assert.equal(status, 404);
  });

  it('is not opened for a client that says too much of itself to be kept', async (t) => {
    const bench = new Bench(t);
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x'.repeat(66_000), version: '1' } };
    const refused = await post(bench, { id: 0, method: 'initialize', params }, {});
    assert.deepEqual([refused.status, refused.session], [413, undefined]);
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { experimental: { x: { y: 'x'.repeat(66_000) } } },
    };
    await post(bench, { id: 0, method: 'tools/list', params: { _meta } }, { server: 'legacy-one' });
    assert.deepEqual(bench.sent, []);
  });

  it('is not ended by those of another user, however many', async (t) => {
    const bench = new Bench(t);
    const session = await open(bench);
    for (let opened = 0; opened < 1_010; opened += 1) {
      bench.nowMs += 1;
      await open(bench, { user: 'bob' });
    }
    assert.equal((await post(bench, PING, { session })).status, 200);
  });

  it('is opened for one user although another one uses as many as there may be', async (t) => {
    const bench = new Bench(t);
    const streams: Promise<Got>[] = [];
    for (let opened = 0; opened < 1_010; opened += 1) {
      const { session } = await post(bench, { id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25' } }, { user: 'bob' });
      if (session === undefined) continue;
      const headers = { accept: 'text/event-stream', 'mcp-session-id': session };
      streams.push(got((handler) => bench.leg.stream(permit('modern-one', 'bob'), 'GET', headers, handler)));
    }
    assert.ok((await open(bench)) !== '');
    bench.leg.close();
    await Promise.all(streams);
  });

  it('asks the server what it is once for as long as it may, for each user', async (t) => {
    const bench = new Bench(t);
    bench.says = (request) => {
      const said = plain(request);
      const { result } = 'message' in said ? said.message : {};
      if (request.message.method === 'server/discover') Object.assign(result ?? {}, { ttlMs: 1_000 });
      return said;
    };
    const discoveries = () => bench.sentWith('server/discover').length;
    await open(bench);
    await open(bench);
    assert.equal(discoveries(), 1);
    await open(bench, { user: 'bob' });
    assert.equal(discoveries(), 2);
    bench.nowMs = 1_001;
    await open(bench);
    assert.equal(discoveries(), 3);
  });
});

describe('a legacy agent’s call that its modern server asks something about', () => {
  for (const [name, allowed, content, reason] of [
    ['policy has come to deny', false, 'x', /has come to deny/],
    ['is too large with its answers', true, 'x'.repeat(70_000), /too large/],
  ] as const) {
    it(`is not sent again when it ${name}`, async (t) => {
      const bench = new Bench(t);
      const session = await open(bench);
      bench.says = asking;
      bench.allows = () => allowed;
      const asked = Promise.withResolvers<unknown>();
      const call = post(bench, CALL, { session }, ([first]) => asked.resolve(first?.id));
      assert.equal((await post(bench, { id: await asked.promise, result: { action: 'accept', content } }, { session })).status, 202);
      assert.match((await call).refusal, reason);
      assert.equal(bench.sentWith('tools/call').length, 1);
    });
  }

  it('ends with the error that the agent answers', async (t) => {
    const bench = new Bench(t);
    const session = await open(bench);
    bench.says = asking;
    const asked = Promise.withResolvers<unknown>();
    const call = post(bench, CALL, { session }, ([first]) => asked.resolve(first?.id));
    await post(bench, { id: await asked.promise, error: { code: -1, message: 'nobody is here' } }, { session });
    const { id, error } = (await call).messages.at(-1) ?? {};
    assert.deepEqual([id, error], [7, { code: -1, message: 'nobody is here' }]);
  });

  it('waits for the agent no longer than for a server', async (t) => {
    const bench = new Bench(t, { answerTimeoutMs: 50 });
    const session = await open(bench);
    bench.says = asking;
    const { refusal, messages } = await post(bench, CALL, { session });
    assert.match(refusal, /did not answer in time/);
    assert.equal((await post(bench, { id: messages[0]?.id, result: {} }, { session })).status, 202);
    assert.equal(bench.sentWith('tools/call').length, 1);
  });
});

describe('a legacy agent’s stream at a modern server', () => {
  const stream = (bench: Bench, session: string, hear?: (messages: readonly Message[]) => void) =>
    got(
      (handler) =>
        bench.leg.stream(permit('modern-one', 'alice'), 'GET', { accept: 'text/event-stream', 'mcp-session-id': session }, handler),
      hear,
    );
  const ACKNOWLEDGED = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications: {} } };
  const updated = (uri: string) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
  const changed = (kind: string) => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
  /** Announces changes of tools, takes subscriptions, and says this on each. */
  const announcing =
    (...said: readonly Message[]) =>
    (request: Sent) => {
      const { id, method } = request.message;
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
      if (method === 'server/discover') return { message: answer(id, { supportedVersions: ['2026-07-28'], capabilities, ttlMs: 0 }) };
      return method === 'subscriptions/listen' ? { stream: said } : plain(request);
    };
  const subscribe = (uri: string) => ({ id: 3, method: 'resources/subscribe', params: { uri } });

  it('carries what was asked for, and that alone', async (t) => {
    const bench = new Bench(t);
    const ask = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } };
    bench.says = announcing(ACKNOWLEDGED, ask, updated('note://b'), changed('prompts'), changed('tools'), updated('note://a'));
    const session = await open(bench);
    let heard: readonly Message[] = [];
    const streaming = stream(bench, session, (messages) => {
      heard = messages;
    });
    assert.deepEqual((await post(bench, subscribe('note://a'), { session })).messages[0]?.result, {});
    assert.deepEqual(
      bench.sentWith('subscriptions/listen').map(({ message }) => message.params?.['notifications']),
      [{ toolsListChanged: true }, { toolsListChanged: true, resourceSubscriptions: ['note://a'] }],
    );
    await until(() => heard.some(({ params }) => params?.['uri'] === 'note://a'));
    const [first, second] = bench.sentWith('subscriptions/listen');
    assert.ok(first?.isAborted(), 'the second took the place of the first');
    assert.ok(!second?.isAborted());
    assert.deepEqual(
      new Set(heard.map(({ method }) => method)),
      new Set(['notifications/tools/list_changed', 'notifications/resources/updated']),
    );
    assert.ok(!heard.some(({ params }) => params?.['uri'] === 'note://b'));
    const ending = got((handler) => bench.leg.stream(permit('modern-one', 'alice'), 'DELETE', { 'mcp-session-id': session }, handler));
    assert.equal((await ending).status, 200);
    await streaming;
    assert.ok(second?.isAborted());
  });

  it('ends with the server’s subscription, so that the agent opens another', async (t) => {
    const bench = new Bench(t);
    bench.says = announcing(ACKNOWLEDGED, answer('sidegate', { resultType: 'complete' }));
    const { status, refusal } = await stream(bench, await open(bench));
    assert.deepEqual([status, refusal], [200, '']);
  });

  it('stays, and new subscriptions are refused, when the server acknowledges none', async (t) => {
    const bench = new Bench(t, { answerTimeoutMs: 50 });
    bench.says = announcing(changed('tools'));
    const session = await open(bench);
    void stream(bench, session);
    assert.match((await post(bench, subscribe('note://a'), { session })).refusal, /did not acknowledge/);
    assert.equal((await post(bench, PING, { session })).status, 200);
  });
});
