import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { connectV1 } from '../../examples/agent/connect-v1.ts';
import { connectV2 } from '../../examples/agent/connect-v2.ts';
import { type RunningExamples, startExamples } from './running-examples.ts';

const TOOLS = ['create_ticket', 'delete_ticket', 'get_ticket', 'list_tickets', 'update_ticket', 'whoami'];

function post(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  });
}

describe('the example ticket server', () => {
  let examples: RunningExamples;
  before(async () => {
    examples = await startExamples();
  });
  after(() => examples.stop());

  for (const { sdk, connect, revision } of [
    { sdk: 'v1', connect: connectV1, revision: '2025-11-25' },
    { sdk: 'v2', connect: connectV2, revision: '2026-07-28' },
  ]) {
    it(`serves the official SDK ${sdk} in revision ${revision}`, async () => {
      const connection = await connect(examples.ticketsUrl, await examples.ticketsToken('alice'));
      try {
        const seen = await connection.look('tickets');
        assert.equal(seen.protocolVersion, revision);
        assert.deepEqual([...seen.tools].sort(), TOOLS);
        assert.deepEqual([...seen.prompts].sort(), ['postmortem', 'summarize_ticket']);
        assert.ok(seen.resources.includes('tickets://T-101'), seen.resources.join());
      } finally {
        await connection.close();
      }
    });

    it(`does things as the user whose token it got (${sdk})`, async () => {
      for (const user of ['alice', 'bob']) {
        const connection = await connect(examples.ticketsUrl, await examples.ticketsToken(user));
        try {
          const who = await connection.call('whoami', {});
          assert.ok(who.kind === 'result');
          assert.deepEqual(who.structured, {
            user,
            issuer: examples.issuer,
            audience: examples.ticketsUrl,
            clientId: 'example-credential-store',
            traceparent: null,
          });
          const created = await connection.call('create_ticket', { title: 'From a test' });
          assert.ok(created.kind === 'result');
          const { ticket } = created.structured as { ticket: Record<string, string> };
          assert.deepEqual(
            { ...ticket, id: '' },
            { id: '', title: 'From a test', priority: 'normal', status: 'open', owner: user, changedBy: user },
          );
          const changed = await connection.call('update_ticket', { id: 'T-102', status: 'waiting' });
          assert.ok(changed.kind === 'result');
          const { ticket: after } = changed.structured as { ticket: Record<string, string> };
          assert.deepEqual([after['owner'], after['changedBy']], ['bob', user]);
        } finally {
          await connection.close();
        }
      }
    });
  }

  it('says which ticket does not exist', async () => {
    const connection = await connectV1(examples.ticketsUrl, await examples.ticketsToken('alice'));
    try {
      for (const [tool, more] of [
        ['get_ticket', {}],
        ['update_ticket', { status: 'closed' }],
        ['delete_ticket', {}],
      ] as const) {
        const outcome = await connection.call(tool, { id: 'T-999', ...more });
        assert.deepEqual(outcome, { kind: 'result', isError: true, text: 'There is no ticket T-999', structured: null });
      }
    } finally {
      await connection.close();
    }
  });

  it('refuses with 401 whoever has no token for it', async () => {
    assert.equal(await post(examples.ticketsUrl, {}), 401);
    assert.equal(await post(examples.ticketsUrl, { authorization: 'Bearer nonsense' }), 401);
    assert.equal(await post(examples.ticketsUrl, { authorization: `Bearer ${await examples.agentToken('alice')}` }), 401);
  });

  it('refuses with 403 a request that came by another host name or from a web page elsewhere', async () => {
    const authorization = `Bearer ${await examples.ticketsToken('alice')}`;
    assert.equal(await post(examples.ticketsUrl, { authorization, host: 'tickets.example.com' }), 403);
    assert.equal(await post(examples.ticketsUrl, { authorization, origin: 'https://example.com' }), 403);
  });

  it('reports the trace context that arrived', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = {
      authorization: `Bearer ${await examples.ticketsToken('alice')}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    };
    const call = (extra: Record<string, string>, meta: object) =>
      fetch(examples.ticketsUrl, {
        method: 'POST',
        headers: { ...headers, ...extra },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {}, ...meta } }),
      }).then((response) => response.text());
    assert.match(await call({ traceparent }, {}), new RegExp(`"traceparent":"${traceparent}"`));
    assert.match(await call({}, { _meta: { traceparent } }), new RegExp(`"traceparent":"${traceparent}"`));
    assert.match(await call({}, {}), /"traceparent":null/);
  });
});

describe('the reference server of the quick start', () => {
  let examples: RunningExamples;
  before(async () => {
    examples = await startExamples();
  });
  after(() => examples.stop());

  it('listens on loopback only', async () => {
    const { networkInterfaces } = await import('node:os');
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === 'IPv4' && !address.internal);
    assert.equal(await post(examples.everythingUrl, {}), 406, 'it answers on loopback');
    if (outside !== undefined) await assert.rejects(post(examples.everythingUrl.replace('127.0.0.1', outside.address), {}), /ECONNREFUSED/);
  });

  it('does not get the environment of the launcher', async () => {
    const connection = await connectV1(examples.everythingUrl, 'unused');
    try {
      const outcome = await connection.call('get-env', {});
      assert.ok(outcome.kind === 'result');
      assert.deepEqual(
        Object.keys(JSON.parse(outcome.text) as object).filter((name) => !['PATH', 'HOME', 'TMPDIR', 'LANG', 'PORT'].includes(name)),
        [],
      );
    } finally {
      await connection.close();
    }
  });
});
