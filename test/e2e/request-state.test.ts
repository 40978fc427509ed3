import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, rpcError, send } from '../support/mcp-request.ts';
import { modernRequest } from '../support/modern-request.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';

const policies = (tools: string) => `
permit (principal, action == Action::"CallUndeclaredTool", resource) when { [${tools}].contains(resource.name) };
permit (principal, action == Action::"GetPrompt", resource);
permit (principal, action == Action::"ReadResource", resource);
permit (principal, action == Action::"AskClient", resource);
`;

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { rooms: upstream.url, other: upstream.url },
    policies: policies('"book", "cancel"'),
    sidecarEnv: { SIDEGATE_LOG_LEVEL: 'trace' },
  });
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
  readonly server?: string;
}

function post(method: string, params: Record<string, unknown>, { user = 'alice', server = 'rooms' }: As = {}): Promise<Answer> {
  const request = modernRequest(method, params, { elicitation: {} });
  return send(gate.port, { path: `/${server}/mcp`, ...request, headers: { ...request.headers, authorization: `Bearer ${tokens[user]}` } });
}

/** Has the server ask for input, and give this state with it. */
async function given(
  requestState: string,
  as: As = {},
  method = 'tools/call',
  params: Record<string, unknown> = { name: 'book' },
): Promise<void> {
  const inputRequests = { when: { method: 'elicitation/create', params: {} } };
  upstream.behave((_request, response) =>
    json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'input_required', inputRequests, requestState } }),
  );
  assert.ok((await post(method, params, as)).text.includes(JSON.stringify(requestState)), 'the agent gets the very same state');
  upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', content: [] } }));
  upstream.arrived.length = 0;
}

const retry = (requestState: unknown) => ({ name: 'book', inputResponses: { when: { action: 'accept', content: {} } }, requestState });

describe('a request state', () => {
  it('goes back to the server as it came, from whom it was given to', async () => {
    const state = 'of alice \u0000 "é" 12345678901234567890';
    await given(state);
    assert.match((await post('tools/call', retry(state))).text, /"complete"/);
    assert.equal(JSON.parse(upstream.arrived[0]?.body.toString() ?? '').params.requestState, state);
  });

  it('of alice is refused from bob, and does not reach the server', async () => {
    await given('alices-1');
    const refused = await post('tools/call', retry('alices-1'), { user: 'bob' });
    assert.equal(rpcError(refused)?.code, -32602);
    assert.equal(upstream.arrived.length, 0);
    assert.match((await post('tools/call', retry('alices-1'))).text, /"complete"/);
  });

  it('is for the tool, prompt or resource that it was given for', async () => {
    await given('for-booking');
    for (const [method, params] of [
      ['tools/call', { name: 'cancel' }],
      ['prompts/get', { name: 'book' }],
      ['resources/read', { uri: 'book://book' }],
    ] as const) {
      assert.equal(rpcError(await post(method, { ...params, requestState: 'for-booking' }))?.code, -32602, method);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('may be given for a prompt or a resource too', async () => {
    await given('of-prompt', {}, 'prompts/get', { name: 'plan' });
    await given('of-resource', {}, 'resources/read', { uri: 'room://1' });
    assert.match((await post('prompts/get', { name: 'plan', requestState: 'of-prompt' })).text, /"complete"/);
    assert.match((await post('resources/read', { uri: 'room://1', requestState: 'of-resource' })).text, /"complete"/);
    assert.equal(rpcError(await post('resources/read', { uri: 'room://2', requestState: 'of-resource' }))?.code, -32602);
  });

  it('that a server gives to several is everybody’s to whom it was given', async () => {
    await given('step-2', { user: 'alice' });
    await given('step-2', { user: 'bob' });
    for (const user of ['alice', 'bob']) assert.match((await post('tools/call', retry('step-2'), { user })).text, /"complete"/);
  });

  it('that nobody was given here is the server’s to judge', async () => {
    await given('known-elsewhere', { server: 'other' });
    for (const state of ['from before a restart', 'known-elsewhere', '', 7]) {
      assert.match((await post('tools/call', retry(state), { user: 'bob' })).text, /"complete"/);
    }
    assert.equal(upstream.arrived.length, 4);
  });

  it('is in no log and in no record', async () => {
    await given('never-written-anywhere');
    await post('tools/call', retry('never-written-anywhere'), { user: 'bob' });
    const foreign = (user: string) => gate.audit().find(({ code, user: who }) => code === 'foreign_state' && who?.id === user);
    for (let tries = 0; foreign('bob') === undefined && tries < 1_000; tries += 1) await sleep(20);
    assert.equal(foreign('bob')?.effect, 'deny');
    assert.doesNotMatch(JSON.stringify(gate.audit()), /never-written/);
    for (const log of ['sidecar.log', 'extauthz.log']) {
      const text = readFileSync(join(gate.bundleDir, '..', log), 'utf8');
      assert.ok(text.length > 0);
      assert.doesNotMatch(text, /never-written/);
    }
  });
});

describe('a retry', () => {
  it('is decided again: what was allowed before is refused when policy has changed', async () => {
    await given('before-the-change');
    gate.writeBundleFile('policies/policies.cedar', policies('"cancel"'));
    let answer = await post('tools/call', retry('before-the-change'));
    for (let tries = 0; rpcError(answer)?.code !== 4030 && tries < 1_000; tries += 1) {
      await sleep(20);
      answer = await post('tools/call', retry('before-the-change'));
    }
    assert.equal(rpcError(answer)?.code, 4030);
    upstream.arrived.length = 0;
    assert.equal(rpcError(await post('tools/call', retry('before-the-change')))?.code, 4030);
    assert.equal(upstream.arrived.length, 0);
  });
});
