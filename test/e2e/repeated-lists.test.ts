import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { MCP_HEADERS, send } from '../support/mcp-request.ts';
import { modernRequest } from '../support/modern-request.ts';
import { type Behaviour, startUpstream, type Upstream } from '../support/upstream.ts';

const LIST = '"result":{"tools":[{"name":"open"},{"name":"secret"}],"resultType":"complete"}}';
const BOB_SEES = (server: string) => `permit (principal == User::"bob", action, resource == Tool::"${server}/secret");\n`;
const OPEN = 'permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"files") when { resource.name == "open" };\n';

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

/** The same list for everybody, under the id of the request. */
const asJson: Behaviour = ({ body }, response) => {
  const { id } = JSON.parse(body.toString());
  response.writeHead(200, { 'content-type': 'application/json' }).end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${LIST}`);
};
const asStream: Behaviour = ({ body }, response) => {
  const { id } = JSON.parse(body.toString());
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: {"jsonrpc":"2.0","id":${JSON.stringify(id)},${LIST}\n\n`);
};

before(async () => {
  upstream = await startUpstream(asJson);
  gate = await startGate({ servers: { files: upstream.url, other: upstream.url }, policies: 'permit (principal, action, resource);' });
  for (const user of ['alice', 'bob']) tokens[user] = await gate.token(user);
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

async function tools(user: string, { id = 1 as number | string, server = 'files' } = {}): Promise<string[]> {
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${tokens[user]}` };
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/list' });
  const { text } = await send(gate.port, { path: `/${server}/mcp`, headers, body });
  const message = JSON.parse(text.replace(/^data: /, ''));
  assert.deepEqual(message.id, id, text);
  return message.result.tools.map(({ name }: { name: string }) => name);
}

/** Waits for a policy that shows a user so many of the tools. */
async function until(user: string, count: number): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await tools(user)).length === count) return;
    await sleep(20);
  }
  assert.fail('policy did not change in time');
}

describe('a list that comes again byte for byte', () => {
  for (const [how, behaviour] of [
    ['as JSON', asJson],
    ['in an event stream', asStream],
  ] as const) {
    it(`shows each user what is theirs, at each server, under each policy: ${how}`, async () => {
      upstream.behave(behaviour);
      gate.writeBundleFile('policies/policies.cedar', 'permit (principal, action, resource);');
      await until('alice', 2);
      gate.writeBundleFile('policies/policies.cedar', OPEN + BOB_SEES('files') + BOB_SEES('other'));
      await until('alice', 1);
      for (const id of [1, 2, '"', 'secret', 'name', 1]) {
        assert.deepEqual(await tools('bob', { id }), ['open', 'secret']);
        assert.deepEqual(await tools('alice', { id }), ['open']);
        assert.deepEqual(await tools('bob', { id, server: 'other' }), ['secret']);
        assert.deepEqual(await tools('alice', { id, server: 'other' }), []);
      }
      gate.writeBundleFile('policies/policies.cedar', OPEN);
      await until('bob', 1);
      assert.deepEqual(await tools('bob', { server: 'other' }), []);
    });
  }

  it('is marked as private and short-lived for modern clients alone', async () => {
    upstream.behave(asJson);
    gate.writeBundleFile('policies/policies.cedar', OPEN);
    await until('alice', 1);
    const authorization = `Bearer ${tokens['alice']}`;
    const modern = modernRequest('tools/list');
    for (let turn = 0; turn < 2; turn += 1) {
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
      const legacy = await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body });
      assert.equal(legacy.text, '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open"}],"resultType":"complete"}}');
      const { text } = await send(gate.port, { path: '/files/mcp', headers: { ...modern.headers, authorization }, body: modern.body });
      assert.equal(
        text,
        '{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","ttlMs":30000,"tools":[{"name":"open"}],"resultType":"complete"}}',
      );
    }
  });
});
