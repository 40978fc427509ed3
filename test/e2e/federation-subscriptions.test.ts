import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type FederatedGate, MODERN_META, rpc, startFederatedGate, until } from '../support/federated-gate.ts';
import { type OpenStream, openStream } from '../support/open-stream.ts';
import type { Message, ScriptedServer } from '../support/scripted-server.ts';
import { json } from '../support/upstream.ts';

const policies = (tool: string) => `
permit (principal, action == Action::"CallUndeclaredTool", resource) when { resource.name == "${tool}" };
permit (principal, action == Action::"ReadResource", resource) unless { resource.uri like "file:///hidden*" };
`;

let to: FederatedGate;
let alpha: ScriptedServer;
let beta: ScriptedServer;
const opened: OpenStream[] = [];

before(async () => {
  to = await startFederatedGate(['alpha', 'beta'], { policies: policies('open') });
  ({ alpha, beta } = to.servers as { alpha: ScriptedServer; beta: ScriptedServer });
});
after(() => to.stop());
beforeEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  await until(() => alpha.streams.size + beta.streams.size === 0);
  for (const server of [alpha, beta]) {
    server.arrived.length = 0;
    server.results.delete('subscriptions/listen');
  }
});

function listen(notifications: Record<string, unknown>, id: string | number = 's'): OpenStream {
  const stream = openStream(to.gate.port, {
    method: 'POST',
    path: '/mcp',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${to.alice}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params: { notifications, _meta: MODERN_META } }),
  });
  opened.push(stream);
  return stream;
}

const isAcknowledged = (stream: OpenStream) => () => stream.messages().length > 0;
const note = (method: string, params: Record<string, unknown> = {}, id = 's') => ({
  jsonrpc: '2.0',
  method: `notifications/${method}`,
  params: { ...params, _meta: { 'io.modelcontextprotocol/subscriptionId': id } },
});

describe('a subscription at all servers', () => {
  it('is acknowledged once, first, and has each server hear of its own resources alone', async () => {
    const stream = listen({
      toolsListChanged: true,
      resourceSubscriptions: ['alpha+file:///a', 'beta+file:///b', 'gamma+file:///c', 'file:///d'],
    });
    await until(isAcknowledged(stream));
    const [first] = stream.messages();
    assert.equal(first?.['method'], 'notifications/subscriptions/acknowledged');
    assert.deepEqual(first['params'], {
      notifications: { toolsListChanged: true, resourceSubscriptions: ['alpha+file:///a', 'beta+file:///b'] },
      _meta: { 'io.modelcontextprotocol/subscriptionId': 's' },
    });
    for (const [server, uri] of [
      [alpha, 'file:///a'],
      [beta, 'file:///b'],
    ] as const)
      assert.deepEqual(server.messages('subscriptions/listen')[0]?.params?.['notifications'], {
        toolsListChanged: true,
        resourceSubscriptions: [uri],
      });
  });

  it('carries updates under the names that the agent knows, and hides what policy hides', async () => {
    const stream = listen({ resourceSubscriptions: ['alpha+file:///a', 'beta+file:///b'] });
    await until(isAcknowledged(stream));
    alpha.say(note('resources/updated', { uri: 'file:///hidden' }));
    alpha.say(note('resources/updated', { uri: 'file:///a' }));
    beta.say(note('resources/updated', { uri: 'alpha+file:///a' }));
    await until(() => stream.messages().length === 3);
    const uris = stream
      .messages()
      .slice(1)
      .map(({ params }) => (params as { uri: string }).uri);
    assert.deepEqual(uris.sort(), ['alpha+file:///a', 'beta+alpha+file:///a']);
    assert.doesNotMatch(stream.text(), /hidden|^id:/m);
  });

  it('tells of changed lists that were asked for, under its own id', async () => {
    const stream = listen({ toolsListChanged: true }, 7);
    await until(isAcknowledged(stream));
    beta.say(note('prompts/list_changed'));
    beta.say(note('tools/list_changed'));
    await until(() => stream.messages().length === 2);
    assert.deepEqual(stream.messages()[1], {
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
      params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 7 } },
    });
  });

  for (const [which, answer] of [
    [
      'does not know subscriptions',
      ({ id }: Message, response: ServerResponse) => json(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }, 404),
    ],
    ['has nothing to tell', ({ id }: Message, response: ServerResponse) => json(response, { jsonrpc: '2.0', id, result: {} })],
    ['is down', (_message: Message, response: ServerResponse) => void response.destroy()],
    [
      'answers with a page',
      (_message: Message, response: ServerResponse) => void response.writeHead(502, { 'content-type': 'text/html' }).end('<p>no'),
    ],
    [
      'says nothing on its stream',
      (_message: Message, response: ServerResponse) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(),
    ],
  ] as const)
    it(`goes without a server that ${which}`, async () => {
      beta.results.set('subscriptions/listen', answer);
      const stream = listen({ toolsListChanged: true });
      await until(isAcknowledged(stream));
      alpha.say(note('tools/list_changed'));
      await until(() => stream.messages().length === 2);
    });

  it('fails when no server takes it', async () => {
    for (const server of [alpha, beta])
      server.results.set('subscriptions/listen', (_message: Message, response: ServerResponse) => void response.destroy());
    const stream = listen({ toolsListChanged: true });
    await until(() => stream.isEnded());
    assert.match(stream.text(), /"code":5020/);
  });

  it('ends with a result when every server has ended it', async () => {
    const stream = listen({ toolsListChanged: true });
    await until(isAcknowledged(stream));
    const result = { resultType: 'complete', _meta: {} };
    alpha.say({ jsonrpc: '2.0', id: 's', result });
    for (const one of alpha.streams) one.end();
    beta.say(note('tools/list_changed'));
    await until(() => stream.messages().length === 2);
    beta.say({ jsonrpc: '2.0', id: 's', result });
    for (const one of beta.streams) one.end();
    await until(() => stream.isEnded());
    const last = stream.messages().at(-1) as { id: string; result: { resultType: string } };
    assert.deepEqual([last.id, last.result.resultType], ['s', 'complete']);
  });

  it('breaks off when a server does, so that the agent subscribes again', async () => {
    const stream = listen({ toolsListChanged: true });
    await until(isAcknowledged(stream));
    for (const one of alpha.streams) one.destroy();
    await until(() => stream.isEnded());
    assert.doesNotMatch(stream.text(), /"result"/);
    await until(() => beta.streams.size === 0);
  });

  it('ends at every server when the agent goes away', async () => {
    const stream = listen({ toolsListChanged: true });
    await until(isAcknowledged(stream));
    assert.equal(alpha.streams.size + beta.streams.size, 2);
    stream.close();
    await until(() => alpha.streams.size + beta.streams.size === 0);
  });

  it('hears of a policy that changes', async () => {
    const stream = listen({ toolsListChanged: true });
    await until(isAcknowledged(stream));
    to.gate.writeBundleFile('policies/policies.cedar', policies('other'));
    await until(() => stream.messages().length > 1);
    assert.equal(stream.messages()[1]?.['method'], 'notifications/tools/list_changed');
    assert.equal(rpc(await to.modern('tools/call', { name: 'alpha.open', arguments: {} })).error?.code, 4030);
  });
});
