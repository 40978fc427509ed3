import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type FederatedGate, INITIALIZE, rpc, startFederatedGate, until } from '../support/federated-gate.ts';
import { openStream } from '../support/open-stream.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource) unless { resource.name == "hidden" };
permit (principal, action in [Action::"GetPrompt", Action::"ReadResource", Action::"AskClient"], resource);
`;
const VIEW = 'name: one\nallow_tools: [alpha.open, alpha.hidden, alpha.a.b]\n';

let to: FederatedGate;
before(async () => {
  to = await startFederatedGate(['alpha', 'beta', 'views', 'mcp'], {
    policies: POLICIES,
    files: {
      'views/one.yaml': VIEW,
      'views/granted.yaml': 'name: granted\nallow_tools: [beta.hidden]\nusers: [alice]\n',
    },
  });
});
after(() => to.stop());

const server = (name: string) => to.servers[name] as NonNullable<(typeof to.servers)[string]>;
const call = (name: string) => ({ name, arguments: {} });
const names = (answer: Parameters<typeof rpc>[0]) => (rpc(answer).result.tools as { name: string }[]).map(({ name }) => name);

beforeEach(() => {
  server('alpha').results.set('tools/list', { tools: [{ name: 'open' }, { name: 'other' }, { name: 'hidden' }, { name: 'a.b' }] });
  for (const { arrived } of Object.values(to.servers)) arrived.length = 0;
});

for (const era of ['legacy', 'modern'] as const) {
  const path = '/views/one/mcp';
  const ask = async (method: string, params: Record<string, unknown> = {}, at = path) => {
    if (era === 'modern') return to.modern(method, params, { path: at });
    return to.post({ jsonrpc: '2.0', id: 1, method, params }, { path: at, session: await to.initialize({ path: at }) });
  };
  describe(`the endpoint of a view, ${era}`, () => {
    it('shows what the view names and policy permits, and asks no other server', async () => {
      assert.deepEqual(names(await ask('tools/list')), ['alpha.open', 'alpha.a.b']);
      assert.equal(server('beta').arrived.length, 0);
    });

    it('calls what it shows', async () => {
      assert.ok(rpc(await ask('tools/call', call('alpha.open'))).result);
      assert.ok(rpc(await ask('tools/call', call('alpha.a.b'))).result);
    });

    it('knows no tool outside of the view, though it may be called elsewhere', async () => {
      const unknown = rpc(await ask('tools/call', call('alpha.made-up'))).error;
      for (const name of ['alpha.other', 'beta.open', 'alpha.a', 'alpha.Open', 'alpha.open ', 'mcp.open'])
        assert.deepEqual(rpc(await ask('tools/call', call(name))).error, unknown, name);
      assert.equal(server('alpha').messages('tools/call').length, 0);
      assert.ok(rpc(await ask('tools/call', call('alpha.other'), '/mcp')).result);
    });

    it('permits nothing: what policy hides stays denied', async () => {
      assert.equal(rpc(await ask('tools/call', call('alpha.hidden'))).error?.code, 4030);
    });

    it('has tools alone', async () => {
      for (const [method, params] of [
        ['prompts/list', {}],
        ['prompts/get', { name: 'alpha.greet' }],
        ['resources/list', {}],
        ['resources/read', { uri: 'alpha+file:///open' }],
        ['completion/complete', { ref: { type: 'ref/prompt', name: 'alpha.greet' }, argument: {} }],
      ] as const)
        assert.equal(rpc(await ask(method, params)).error?.code, -32601, method);
      assert.equal(server('alpha').arrived.filter(({ body }) => /prompts|resources/.test(body.toString())).length, 0);
    });

    it('does not take a cursor of all servers', async () => {
      server('alpha').results.set('tools/list', { tools: [], nextCursor: 'more' });
      const { nextCursor } = rpc(await ask('tools/list', {}, '/mcp')).result;
      assert.equal(rpc(await ask('tools/list', { cursor: nextCursor })).error?.code, -32602);
    });
  });
}

describe('a view', () => {
  it('has sessions of its own', async () => {
    const session = await to.initialize({ path: '/views/one/mcp' });
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    assert.equal((await to.post(ping, { session, path: '/views/one/mcp' })).status, 200);
    assert.equal((await to.post(ping, { session, path: '/views/granted/mcp' })).status, 404);
    assert.equal((await to.post(ping, { session })).status, 404);
  });

  it('says that it has tools and nothing else', async () => {
    assert.deepEqual(rpc(await to.post(INITIALIZE, { path: '/views/one/mcp' })).result.capabilities, {
      tools: { listChanged: true },
      logging: {},
    });
  });

  it('tells of nothing but tools', async () => {
    const params = { notifications: { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['alpha+file:///open'] } };
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const stream = openStream(to.gate.port, {
      method: 'POST',
      path: '/views/one/mcp',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${to.alice}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 's', method: 'subscriptions/listen', params: { ...params, _meta } }),
    });
    await until(() => stream.messages().length === 1);
    assert.deepEqual(stream.messages()[0]?.['params'], {
      notifications: { toolsListChanged: true },
      _meta: { 'io.modelcontextprotocol/subscriptionId': 's' },
    });
    const asked = server('alpha').messages('subscriptions/listen')[0]?.params?.['notifications'];
    assert.deepEqual((asked as { resourceSubscriptions: unknown }).resourceSubscriptions, []);
    stream.close();
  });

  it('that grants is as good as any other policy, at every endpoint', async () => {
    for (const path of ['/views/granted/mcp', '/mcp'])
      assert.ok(rpc(await to.modern('tools/call', call('beta.hidden'), { path })).result, path);
    const bob = { token: await to.gate.token('bob'), path: '/views/granted/mcp' };
    assert.equal(rpc(await to.modern('tools/call', call('beta.hidden'), bob)).error?.code, 4030);
    assert.deepEqual(names(await to.modern('tools/list', {}, bob)), []);
  });

  for (const path of [
    '/views/nothing/mcp',
    '/views/One/mcp',
    '/views/%6fne/mcp',
    '/views//mcp',
    '/views/one/x/mcp',
    '/views/../mcp',
    '/Mcp',
  ]) {
    it(`is not found at ${path}`, async () => {
      assert.equal((await to.modern('tools/list', {}, { path })).status, 404);
      assert.equal((await to.post(INITIALIZE, { path })).status, 404);
    });
  }

  it('does not stand in the way of servers with such names', async () => {
    for (const name of ['views', 'mcp']) {
      const answer = await to.modern('tools/call', { name: 'open', arguments: {} }, { path: `/${name}/mcp` });
      assert.equal(rpc(answer).result.content[0].text, `${name} did it`);
    }
  });

  it('changes with the bundle, and those who listen are told', async () => {
    const session = await to.initialize({ path: '/views/one/mcp' });
    const stream = openStream(to.gate.port, {
      path: '/views/one/mcp',
      headers: { authorization: `Bearer ${to.alice}`, accept: 'text/event-stream', 'mcp-session-id': session },
    });
    await until(() => server('alpha').streams.size === 1);
    to.gate.writeBundleFile('views/one.yaml', 'name: one\nallow_tools: [alpha.other]\n');
    await until(() => stream.text().includes('notifications/tools/list_changed'));
    assert.doesNotMatch(stream.text(), /prompts|resources/);
    assert.deepEqual(names(await to.modern('tools/list', {}, { path: '/views/one/mcp' })), ['alpha.other']);
    stream.close();
  });
});
