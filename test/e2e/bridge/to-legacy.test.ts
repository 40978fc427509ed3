import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_LEVEL_META_KEY } from '@modelcontextprotocol/client';
import { type Gate, startGate } from '../../support/gate.ts';
import { type LegacyServer, startLegacyServer } from '../../support/legacy-server.ts';
import { type Answer, MCP_HEADERS, send } from '../../support/mcp-request.ts';
import { type Outcome, outcomeOf } from '../sdk/outcome.ts';
import { connectV1 } from '../sdk/v1-client.ts';
import { connectV2, MODERN, type V2Client } from '../sdk/v2-client.ts';
import { POLICIES, REASONS } from './policies.ts';

let server: LegacyServer;
let gate: Gate;

before(async () => {
  server = await startLegacyServer();
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: { 'servers/old.yaml': `name: old\nurl: ${server.url}\nbridge_to: legacy\n` },
  }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
});

after(async () => {
  await gate.stop();
  await server.close();
});

const text = (value: unknown) => JSON.stringify(value);
const errorOf = (outcome: Outcome) => ('error' in outcome ? text(outcome.error) : `not an error: ${text(outcome)}`);

async function as<T>(user: string, use: (client: V2Client) => Promise<T>): Promise<T> {
  const client = await connectV2(gate.url('old'), await gate.token(user), MODERN);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {}, roots: {} },
};

/** A modern request, as it goes over the wire. */
async function post(user: string, method: string, params: Record<string, unknown>): Promise<Answer> {
  const name = params['name'] ?? params['uri'];
  return send(gate.port, {
    path: '/old/mcp',
    body: text({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } }),
    headers: {
      ...MCP_HEADERS,
      authorization: `Bearer ${await gate.token(user)}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    },
  });
}

/** The JSON-RPC message that an answer ends with. */
function last({ text: body }: Answer): { result?: Record<string, unknown>; error?: { code: number; message: string } } {
  const events = body.split('\n').filter((line) => line.startsWith('data: '));
  return JSON.parse(events.length === 0 ? body : (events.at(-1) ?? '').slice('data: '.length));
}

describe('an agent of 2026-07-28 at a server that speaks only the revisions before', () => {
  it('discovers it, and is told that nothing may be shared', () =>
    as('alice', async (client) => {
      const handshake = text(client.handshake());
      assert.match(handshake, /"protocolVersion":"2026-07-28"/);
      assert.match(handshake, /"name":"legacy-test-server"/);
      assert.match(handshake, /One of everything, as it was\./);
      const { result } = last(await post('alice', 'server/discover', {}));
      assert.deepEqual(result?.['supportedVersions'], ['2026-07-28']);
      assert.equal(result?.['cacheScope'], 'private');
      assert.equal(result?.['resultType'], 'complete');
    }));

  it('is what a client of both eras takes it for', async () => {
    const client = await connectV2(gate.url('old'), await gate.token('alice'), 'auto');
    assert.match(text(client.handshake()), /"protocolVersion":"2026-07-28"/);
    assert.match(text(await client.callTool('echo', { message: 'both' })), /both/);
    await client.close();
  });

  it('lists, reads, gets and completes', () =>
    as('alice', async (client) => {
      assert.match(text(await client.listTools()), /"vault"/);
      assert.match(text(await client.listPrompts()), /"secret-plan"/);
      assert.match(text(await client.listResources()), /note:\/\/open\/1/);
      assert.match(text(await client.listResourceTemplates()), /note:\/\/shared\/\{name\}/);
      assert.match(text(await client.readResource('note://open/1')), /The note note:\/\/open\/1/);
      assert.match(text(await client.getPrompt('greet', { language: 'de' })), /Greet me in de/);
      const ref = { type: 'ref/prompt', name: 'greet' } as const;
      assert.match(text(await client.complete({ ref, argument: { name: 'language', value: 'e' } })), /\["el","en"\]/);
      const { result } = last(await post('alice', 'tools/list', {}));
      assert.deepEqual([result?.['resultType'], result?.['ttlMs'], result?.['cacheScope']], ['complete', 0, 'private']);
    }));

  it('calls tools, and learns of mistakes in the modern way', () =>
    as('alice', async (client) => {
      assert.match(text(await client.callTool('echo', { message: 'ünïcödé 𝕊' })), /ünïcödé 𝕊/);
      assert.match(text(await client.callTool('fail')), /it failed/);
      assert.match(text(await client.callTool('break-off')), /it was still there/);
      assert.equal(server.runs.get('break-off'), 1);
      assert.match(text(await client.callTool('no-such-tool')), /no-such-tool/);
      const unknown = await post('alice', 'acme/unknown', {});
      assert.equal(unknown.status, 404);
      assert.equal(last(unknown).error?.code, -32601);
      assert.equal((await post('alice', 'tasks/get', { taskId: '1' })).status >= 400, true);
    }));

  it('shares one session among its requests', async () => {
    const from = server.initialized;
    await Promise.all([1, 2, 3].map((shard) => post('alice', 'tools/call', { name: 'echo', arguments: { message: `${shard}` } })));
    await post('alice', 'tools/list', {});
    assert.ok(server.initialized - from <= 1);
  });

  it('is asked what the server wants to know', () =>
    as('alice', async (client) => {
      client.answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
      const booked = text(await client.callTool('book', { room: 'A' }));
      assert.match(booked, /2026-12-01/);
      assert.match(booked, /A sampled answer/);
      assert.match(booked, /file:\/\/\/projects\/one/);
      assert.equal(server.runs.get('book'), 1, 'the call went on, and did not begin again');
      client.answers.elicitation = { action: 'decline' };
      assert.match(text(await client.callTool('book', { room: 'A' })), /not booked/);
      client.answers.elicitation = { action: 'accept', content: { date: '2026-12-03' } };
      assert.match(text(await client.callTool('book-apart', { room: 'B' })), /2026-12-03/);
    }));

  it('hears progress, and cancels by going away', () =>
    as('alice', async (client) => {
      const key = randomUUID();
      const abort = new AbortController();
      const progress = Promise.withResolvers<unknown>();
      const call = outcomeOf(() => client.callTool('wait', { key }, { signal: abort.signal, onProgress: progress.resolve }));
      assert.match(text(await progress.promise), /waiting/);
      abort.abort('changed my mind');
      await call;
      await server.cancelled(key);
    }));

  it('hears the log that it asked for, and no other', () =>
    as('alice', async (client) => {
      await client.callTool('log');
      await client.request('tools/call', { name: 'log', arguments: {}, _meta: { [LOG_LEVEL_META_KEY]: 'info' } });
      assert.match(text(await client.inbox.next('notifications/message')), /"heard"/);
      assert.equal(client.inbox.received.filter(({ method }) => method === 'notifications/message').length, 1);
    }));

  it('subscribes, and leaves no subscription behind', () =>
    as('alice', async (client) => {
      const filter = { toolsListChanged: true, resourceSubscriptions: ['note://open/1'] };
      const subscription = await client.sdk.listen(filter);
      assert.deepEqual(subscription.honoredFilter, filter);
      assert.deepEqual(server.subscribed(), ['note://open/1']);
      await client.callTool('publish', { uris: ['note://closed/1', 'note://open/1'] });
      assert.match(text(await client.inbox.next('notifications/resources/updated')), /note:\/\/open\/1/);
      assert.match(text(await client.inbox.next('notifications/tools/list_changed')), /subscriptionId/);
      assert.ok(!client.inbox.received.some(({ method, params }) => /prompts/.test(method) || text(params).includes('closed')));
      await subscription.close();
      for (let tries = 0; server.subscribed().length > 0 && tries < 1_000; tries += 1) await sleep(10);
      assert.deepEqual(server.subscribed(), []);
    }));

  it('is governed as it would be without translation', () =>
    as('bob', async (client) => {
      assert.doesNotMatch(text(await client.listTools()), /vault/);
      assert.doesNotMatch(text(await client.listPrompts()), /secret-plan/);
      assert.doesNotMatch(text(await client.listResources()), /closed/);
      assert.match(errorOf(await outcomeOf(() => client.callTool('vault'))), new RegExp(REASONS.tool));
      assert.match(errorOf(await outcomeOf(() => client.readResource('note://closed/1'))), new RegExp(REASONS.resource));
      client.answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
      // The server is told in the agent's place that the model may not be asked, and goes on without.
      const booked = text(await client.callTool('book', { room: 'B' }));
      assert.match(booked, /2026-12-01/);
      assert.match(booked, new RegExp(REASONS.sampling));
      assert.doesNotMatch(text(client.answers.take()), /Name the meeting/);
    }));

  it('begins again when the server has forgotten its session', () =>
    as('alice', async (client) => {
      await client.callTool('echo', { message: 'before' });
      const from = server.runs.get('echo') ?? 0;
      const sessions = server.initialized;
      server.forgetSessions();
      assert.match(text(await client.callTool('echo', { message: 'after' })), /after/);
      assert.equal((server.runs.get('echo') ?? 0) - from, 1);
      assert.equal(server.initialized - sessions, 1);
    }));
});

describe('the requestState of a call that waits', () => {
  const ask = async (user: string): Promise<string> => {
    const { result } = last(await post(user, 'tools/call', { name: 'book', arguments: { room: 'A' } }));
    assert.equal(result?.['resultType'], 'input_required');
    return String(result?.['requestState']);
  };
  const inputResponses = { 'request-1': { action: 'decline' } };
  const retry = (user: string, requestState: string, changes: Record<string, unknown> = {}) =>
    post(user, 'tools/call', { name: 'book', arguments: { room: 'A' }, inputResponses, requestState, ...changes });

  it('is good once, for its user and its call', async () => {
    const state = await ask('alice');
    for (const [user, changes] of [
      ['bob', {}],
      ['alice', { name: 'book-apart' }],
      ['alice', { arguments: { room: 'B' } }],
      ['alice', { requestState: `${state}x` }],
      ['alice', { requestState: 1 }],
    ] as const) {
      assert.equal(last(await retry(user, state, changes)).error?.code, -32602, `${user} ${text(changes)}`);
    }
    assert.match(text(last(await retry('alice', state)).result), /not booked/);
    assert.equal(last(await retry('alice', state)).error?.code, -32602, 'only once');
  });

  it('brings the question back while it has no answer', async () => {
    const state = await ask('alice');
    const { result } = last(await retry('alice', state, { inputResponses: { other: { action: 'accept' } } }));
    assert.equal(result?.['resultType'], 'input_required');
    assert.notEqual(result?.['requestState'], state);
    assert.match(text(last(await retry('alice', String(result?.['requestState']))).result), /not booked/);
  });
});

describe('a legacy agent at such a server', () => {
  it('reaches it as it is', async () => {
    const client = await connectV1(gate.url('old'), await gate.token('alice'));
    assert.match(text(client.handshake()), /legacy-test-server/);
    await client.wire.openStream();
    client.answers.elicitation = { action: 'accept', content: { date: '2026-12-04' } };
    assert.match(text(await client.callTool('book', { room: 'C' })), /2026-12-04/);
    await client.terminateSession();
    await client.close();
    await server.sessionEnded();
  });
});
