import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { call, send } from '../support/mcp-request.ts';
import { echoResult } from '../support/upstream.ts';
import { alice, assertRefused, gate, post, upstream } from './attacks/attacked-gate.ts';

describe('who may speak', () => {
  it('lets a permitted call through, byte for byte', async () => {
    const body =
      '{"jsonrpc": "2.0",\n "id": 12345678901234567890123, "method":"tools/call","params":{"name":"safe","arguments":{"n":1e400,"big":12345678901234567890123}}}';
    const answer = await post(body);
    assert.equal(answer.status, 200);
    assert.equal(upstream.arrived[0]?.body.toString(), body);
  });

  for (const [name, tokenOf] of [
    ['no token', async () => ''],
    ['a token that is no JWT', async () => 'abc.def'],
    [
      'an unsigned token',
      async () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"alice"}').toString('base64url')}.`,
    ],
    ['an expired token', () => gate.token('alice', { exp: Math.floor(Date.now() / 1_000) - 60 })],
    ['a token for somebody else’s service', () => gate.token('alice', { aud: 'other' })],
    ['a token of another issuer', () => gate.token('alice', { iss: 'https://evil.example' })],
    ['a workload token in place of a user’s', () => gate.token('alice', { aud: 'sidegate-policy' })],
  ] as const) {
    it(`refuses ${name}, without HTTP 401`, async () => {
      const answer = await post(call('safe'), { token: await tokenOf() });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['www-authenticate'], undefined);
      assertRefused(answer, 4030, 'unauthenticated');
    });
  }

  it('does not believe fields or _meta about who the user is', async () => {
    const headers = { 'x-forwarded-user': 'bob', 'x-user': 'bob', 'x-sidegate-user': 'bob', baggage: 'user=bob' };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'other', arguments: {}, _meta: { user: 'bob', 'sidegate/user': 'bob' } },
    });
    assertRefused(await post(body, { headers }), 4030, 'not_permitted');
  });

  for (const [name, headers] of [
    ['a foreign Host', { host: 'evil.example' }],
    ['a Host that only starts like localhost', { host: 'localhost.evil.example' }],
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the null Origin', { origin: 'null' }],
  ] as const) {
    it(`refuses ${name} with 403`, async () => {
      const answer = await post(call('safe'), { headers });
      assert.equal(answer.status, 403);
      assertRefused(answer, -32600);
    });
  }

  it('refuses two Authorization fields', async () => {
    const answer = await post(call('safe'), { headers: { authorization: [`Bearer ${alice}`, 'Bearer other'] } });
    assert.equal(answer.status, 400);
    assertRefused(answer, -32600);
  });
});

describe('what the server gets', () => {
  it('is the user’s own credential and nothing the agent forged', async () => {
    await post(call('x'), {
      server: 'tokens',
      headers: { cookie: 'c=1', 'x-api-key': 'k', 'x-forwarded-user': 'bob', connection: 'authorization' },
    });
    const headers = upstream.arrived[0]?.headers ?? {};
    assert.equal(headers['authorization'], 'Bearer alices-upstream-secret');
    for (const name of ['cookie', 'x-api-key', 'x-forwarded-user']) assert.equal(headers[name], undefined, name);
    assert.doesNotMatch(JSON.stringify(headers), new RegExp(alice.slice(-20)));
  });

  it('is nothing at all for a user without a credential: never an anonymous call', async () => {
    assertRefused(await post(call('x'), { server: 'tokens', token: await gate.token('carol') }), 4030, 'no_credential');
  });

  for (const user of ['../tokens/alice', 'tokens/../alice', '..', 'alice/', 'alice\0', '%61lice']) {
    it(`is not another user’s credential for a user called ${JSON.stringify(user)}`, async () => {
      assertRefused(await post(call('x'), { server: 'tokens', token: await gate.token(user) }), 4030);
    });
  }
});

describe('sessions', () => {
  const initialize = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  });

  async function openSession(token = alice): Promise<string> {
    upstream.behave((request, response) => {
      response.setHeader('mcp-session-id', 'the-servers-own-id');
      return echoResult(request, response);
    });
    return String((await post(initialize, { token })).headers['mcp-session-id']);
  }

  it('have a name of our own, which leads back to the server’s for its owner', async () => {
    const sealed = await openSession();
    assert.doesNotMatch(Buffer.from(sealed, 'base64url').toString('latin1'), /the-servers-own-id/);
    const answer = await post(call('safe'), { headers: { 'mcp-session-id': sealed } });
    assert.equal(answer.status, 200);
    assert.equal(upstream.arrived.at(-1)?.headers['mcp-session-id'], 'the-servers-own-id');
    assert.equal(answer.headers['mcp-session-id'], sealed, 'and keep it');
  });

  it('do not exist for anybody else, nor at another server, nor under the server’s own id', async () => {
    const sealed = await openSession();
    upstream.arrived.length = 0;
    const bob = await gate.token('bob');
    for (const [options, sessionId] of [
      [{ token: bob }, sealed],
      [{ server: 'tokens' }, sealed],
      [{}, 'the-servers-own-id'],
      [{}, `${sealed}A`],
    ] as const) {
      const answer = await post(call('safe'), { ...options, headers: { 'mcp-session-id': sessionId } });
      assert.equal(answer.status, 404, 'the client opens a new one then');
      assertRefused(answer, -32600);
    }
    for (const method of ['GET', 'DELETE']) {
      const headers = { authorization: `Bearer ${bob}`, accept: 'text/event-stream', 'mcp-session-id': sealed };
      assert.equal((await send(gate.port, { method, path: '/files/mcp', headers })).status, 404);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('are not for modern messages', async () => {
    const sealed = await openSession();
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'safe', arguments: {}, _meta: meta } });
    const headers = { 'mcp-session-id': sealed, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'safe' };
    const answer = await post(body, { headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['mcp-session-id'], undefined);
    assert.equal(upstream.arrived.at(-1)?.headers['mcp-session-id'], undefined);
  });
});
