import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type Gate, startGate } from '../../support/gate.ts';
import { MCP_HEADERS, send } from '../../support/mcp-request.ts';
import { type ModernServer, startModernServer } from '../../support/modern-server.ts';
import { type Outcome, outcomeOf } from '../sdk/outcome.ts';
import type { SdkClient } from '../sdk/sdk-client.ts';
import { connectV1 } from '../sdk/v1-client.ts';
import { connectV2 } from '../sdk/v2-client.ts';
import { POLICIES, REASONS } from './policies.ts';

let server: ModernServer;
let gate: Gate;

before(async () => {
  server = await startModernServer();
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: { 'servers/new.yaml': `name: new\nurl: ${server.modernOnlyUrl}\nbridge_to: modern\n` },
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

for (const [line, connect] of [
  ['SDK v1', (url: string, token: string) => connectV1(url, token)],
  ['SDK v2, legacy', (url: string, token: string) => connectV2(url, token, 'legacy')],
] as const) {
  const as = async <T>(user: string, use: (client: SdkClient) => Promise<T>): Promise<T> => {
    const client = await connect(gate.url('new'), await gate.token(user));
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };

  describe(`a legacy agent (${line}) at a server that speaks only 2026-07-28`, () => {
    it('initializes with what the server says of itself', () =>
      as('alice', async (client) => {
        const handshake = text(client.handshake());
        assert.match(handshake, /"name":"modern-test-server"/);
        assert.match(handshake, /"One of everything\."/);
        assert.match(handshake, /"subscribe":true/);
        assert.match(handshake, /"2025-/);
        assert.deepEqual(await client.ping(), {});
      }));

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
      }));

    it('calls tools, with their arguments in fields where they ask for it', () =>
      as('alice', async (client) => {
        assert.match(text(await client.callTool('echo', { message: 'ünïcödé 𝕊' })), /ünïcödé 𝕊/);
        assert.match(text(await client.callTool('weather', { city: 'Bern' })), /"celsius":21.5/);
        const routed = text(await client.callTool('route', { region: ' Zürich', shard: 42, urgent: false }));
        assert.match(routed, /mcp-param-region\\",\\"=\?base64\?/);
        assert.match(routed, /mcp-param-shard\\",\\"42/);
        assert.match(routed, /mcp-param-urgent\\",\\"false/);
        assert.match(errorOf(await outcomeOf(() => client.callTool('no-such-tool'))), /-32602/);
        assert.match(errorOf(await outcomeOf(() => client.request('acme/unknown'))), /-32601/);
        assert.match(errorOf(await outcomeOf(() => client.request('tasks/list'))), /-32601/);
        assert.match(text(await client.listTools()), /"echo"/, 'and its session goes on');
      }));

    it('is asked what the server wants to know, in two rounds', () =>
      as('alice', async (client) => {
        client.answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
        const booked = text(await client.callTool('book', { room: 'A' }));
        assert.match(booked, /2026-12-01/);
        assert.match(booked, /A sampled answer/);
        assert.match(booked, /file:\/\/\/projects\/one/);
        assert.match(text(client.answers.take()), /When is A needed\?.*Name the meeting in A/);
        client.answers.elicitation = { action: 'decline' };
        assert.match(text(await client.callTool('book', { room: 'A' })), /not booked/);
        client.answers.elicitation = { action: 'accept', content: { date: '2026-12-02' } };
        assert.match(text(await client.getPrompt('ask-date')), /Plan 2026-12-02/);
      }));

    it('hears progress, and cancels', () =>
      as('alice', async (client) => {
        const key = randomUUID();
        const abort = new AbortController();
        const progress = Promise.withResolvers<unknown>();
        const call = outcomeOf(() => client.callTool('wait', { key }, { signal: abort.signal, onProgress: progress.resolve }));
        assert.match(text(await progress.promise), /waiting/);
        abort.abort('changed my mind');
        assert.match(text(await client.callTool('was-cancelled', { key })), /cancelled/);
        await call;
      }));

    it('hears the log from the level that it set', () =>
      as('alice', async (client) => {
        await client.setLoggingLevel('error');
        await client.callTool('log');
        await client.setLoggingLevel('debug');
        await client.callTool('log');
        assert.match(text(await client.inbox.next('notifications/message')), /unheard at level info/);
        assert.match(text(await client.inbox.next('notifications/message')), /heard/);
      }));

    it('subscribes to resources and hears of changed lists', () =>
      as('alice', async (client) => {
        await client.wire.openStream();
        await client.subscribeResource('note://open/1');
        await client.callTool('publish', { uris: ['note://closed/1', 'note://open/1'] });
        assert.match(text(await client.inbox.next('notifications/resources/updated')), /note:\/\/open\/1/);
        await client.inbox.next('notifications/tools/list_changed');
        await client.unsubscribeResource('note://open/1');
        await client.callTool('publish', { uris: ['note://open/1'] });
        await client.inbox.next('notifications/tools/list_changed');
        const updates = client.inbox.received.filter(({ method }) => method === 'notifications/resources/updated');
        assert.equal(updates.length, 1);
      }));

    it('is governed as it would be without translation', () =>
      as('bob', async (client) => {
        assert.doesNotMatch(text(await client.listTools()), /vault/);
        assert.doesNotMatch(text(await client.listPrompts()), /secret-plan/);
        assert.doesNotMatch(text([await client.listResources(), await client.listResourceTemplates()]), /closed/);
        assert.match(errorOf(await outcomeOf(() => client.callTool('vault'))), new RegExp(REASONS.tool));
        assert.match(errorOf(await outcomeOf(() => client.readResource('note://closed/1'))), new RegExp(REASONS.resource));
        assert.match(errorOf(await outcomeOf(() => client.subscribeResource('note://closed/1'))), new RegExp(REASONS.resource));
        client.answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
        // Elicitation is permitted to bob, sampling is not: he is asked the one and never the other.
        assert.match(errorOf(await outcomeOf(() => client.callTool('book', { room: 'B' }))), new RegExp(REASONS.sampling));
        assert.doesNotMatch(text(client.answers.take()), /Name the meeting/);
      }));

    it('ends its session, which is nobody else’s', () =>
      as('alice', async (client) => {
        const { wire } = client;
        const id = wire.exchanges[0]?.headers.get('mcp-session-id') ?? '';
        assert.notEqual(id, '');
        const ping = async (user: string) =>
          send(gate.port, {
            path: '/new/mcp',
            body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
            headers: { ...MCP_HEADERS, authorization: `Bearer ${await gate.token(user)}`, 'mcp-session-id': id },
          });
        assert.equal((await ping('bob')).status, 404);
        assert.equal((await ping('alice')).status, 200);
        await client.terminateSession();
        assert.equal((await ping('alice')).status, 404);
      }));
  });
}

describe('an agent of 2026-07-28 at such a server', () => {
  it('reaches it as it is', async () => {
    const client = await connectV2(gate.url('new'), await gate.token('alice'), { pin: '2026-07-28' });
    assert.match(text(await client.callTool('echo', { message: 'modern' })), /modern/);
    assert.ok(client.wire.exchanges.every(({ headers }) => headers.get('mcp-session-id') === null));
    await client.close();
  });
});
