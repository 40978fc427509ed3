import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { AuditRecord } from '../../../extauthz/api/audit-record.ts';
import type { CheckResponse } from '../../../extauthz/api/envoy-protos.ts';
import { openSqliteAuditStore } from '../../../extauthz/store/sqlite-audit-store.ts';
import { assertAllowed, assertDenied, type Checked, callOf, checkRequest, plain } from '../support/checked-request.ts';
import { PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { TEST_BUNDLE } from '../support/test-bundle.ts';
import { userClaims, workloadClaims } from '../support/test-issuer.ts';

describe('Envoy Check', () => {
  let service: RunningService;
  let proxy: PolicyClient;
  let alice: string;

  before(async () => {
    service = await startService();
    service.writeSecret('tickets/alice', 'alices-secret');
    proxy = await PolicyClient.of(service);
    alice = await service.users.sign(userClaims(service.users));
  });
  after(async () => {
    proxy.close();
    await service.stop();
  });

  const check = (checked: Checked) => proxy.check(checkRequest(checked, alice));
  const recordOf = async (response: CheckResponse): Promise<AuditRecord> => {
    const id = plain(response.dynamicMetadata)['decision_id'];
    const store = openSqliteAuditStore(service.databaseFile, 'read');
    try {
      for (let waited = 0; waited < 20_000; waited += 10) {
        const found = (await store.query({ limit: 10_000 })).filter(({ decisionId }) => decisionId === id);
        assert.ok(found.length <= 1, 'one record a decision');
        if (found[0] !== undefined) return found[0];
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new assert.AssertionError({ message: `no record of decision ${id}` });
    } finally {
      await store.close();
    }
  };

  it('allows with the user’s credential, overwriting what the client sent', async () => {
    const response = await check({ body: callOf('list_tickets') });
    assertAllowed(response);
    const [header] = response.okResponse?.headers ?? [];
    assert.equal(response.okResponse?.headers.length, 1);
    assert.deepEqual([header?.header.key, header?.header.value], ['authorization', 'Bearer alices-secret']);
    assert.deepEqual(
      [header?.append, header?.appendAction],
      [{ value: false }, 'OVERWRITE_IF_EXISTS_OR_ADD'],
      'both spellings of overwrite',
    );
    assert.deepEqual(response.okResponse?.headersToRemove, ['cookie', 'dpop', 'proxy-authorization', 'x-api-key']);
    const { decision_id: id, revision, policies, effect, code } = plain(response.dynamicMetadata);
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    assert.match(String(revision), /^[0-9a-f]{16}$/);
    assert.deepEqual([policies, effect, code], [['support-tickets'], 'allow', '']);
  });

  it('removes the agent’s credentials where the server needs none', async () => {
    const response = await check({ server: 'everything', body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} } });
    assertAllowed(response);
    assert.deepEqual(response.okResponse?.headers, []);
    assert.deepEqual(response.okResponse?.headersToRemove, ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key']);
  });

  it('denies a request with HTTP 200 and a JSON-RPC error, the id digit by digit', async () => {
    assertDenied(await check({ body: callOf('delete_ticket', { number: 1 }) }), 'OK', 4030, /^tickets are never deleted$/);
    assertDenied(await check({ body: callOf('delete_ticket', { number: 1 }, 'a"b') }), 'OK', 4030, /never deleted/, 'a"b');
    const huge = await check({
      body: JSON.stringify(callOf('delete_ticket', { number: 1 })).replace('"id":1', '"id":12345678901234567890123'),
    });
    assert.match(huge.deniedResponse?.body ?? '', /"id":12345678901234567890123,/);
  });

  it('decides by the arguments', async () => {
    assertAllowed(await check({ body: callOf('close_ticket', { number: 12 }) }));
    assertDenied(await check({ body: callOf('close_ticket', { number: 13 }) }), 'OK', 4030, /ticket 13 stays open/);
  });

  it('lets list requests through, whose answers only a sidecar can filter', async () => {
    assertAllowed(await check({ body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } }));
  });

  it('decides streams, ends of sessions, notifications and answers of the client too', async () => {
    assertAllowed(await check({ method: 'GET' }));
    assertAllowed(await check({ method: 'DELETE' }));
    assertAllowed(await check({ body: { jsonrpc: '2.0', method: 'notifications/initialized' } }));
    assertAllowed(await check({ body: { jsonrpc: '2.0', id: 5, result: {} } }));
    for (const checked of [
      { method: 'GET' },
      { method: 'DELETE' },
      { body: { jsonrpc: '2.0', method: 'notifications/initialized' } },
      { body: { jsonrpc: '2.0', id: 5, result: {} } },
    ]) {
      assertDenied(
        await check({ ...checked, headers: { authorization: undefined } }),
        'Forbidden',
        4030,
        /^the user token is missing$/,
        null,
      );
    }
  });

  it('passes answers of the client only where the server may ask for something', async () => {
    const roots = { jsonrpc: '2.0', id: 5, result: { roots: [] } };
    const refused = { jsonrpc: '2.0', id: 5, error: { code: -1, message: 'the user declined' } };
    for (const body of [roots, refused]) {
      assertAllowed(await check({ body, server: 'everything' }));
      assertDenied(await check({ body }), 'Forbidden', 4030, /./, null);
    }
  });

  it('finds the server by host and path when the route does not name it', async () => {
    const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
    assertAllowed(await check({ server: null, host: 'everything.example', path: '/mcp', body }));
    assertAllowed(await check({ server: null, host: 'Everything.example:80', path: '/mcp', body }));
    assertAllowed(await check({ server: null, host: '127.0.0.1:9501', path: '/mcp', body }));
    const elsewhere: [string, string][] = [
      ['everything.example', '/mcp/'],
      ['everything.example', '/mcp/../admin'],
      ['everything.example', '/%6dcp'],
      ['everything.example', '/mcp?x=1'],
      ['everything.example', '/'],
      ['everything.example:8080', '/mcp'],
      ['other.example', '/mcp'],
      ['', '/mcp'],
      ['everything.example@other.example', '/mcp'],
    ];
    for (const [host, path] of elsewhere) {
      assertDenied(await check({ server: null, host, path, body }), 'OK', 4030, /^the server is not registered$/);
    }
    assertDenied(await check({ server: 'nowhere', host: 'everything.example', path: '/mcp', body }), 'OK', 4030, /not registered/);
    assertDenied(await check({ server: '', host: 'everything.example', path: '/mcp', body }), 'OK', 4030, /not registered/);
  });

  it('wants the user’s own token, once', async () => {
    const body = callOf('list_tickets');
    const notValid = /^the user token is not valid for this service$/;
    assertDenied(await check({ body, headers: { authorization: undefined } }), 'OK', 4030, /^the user token is missing$/);
    assertDenied(await check({ body, headers: { authorization: 'Basic YTpi' } }), 'OK', 4030, notValid);
    assertDenied(await check({ body, headers: { authorization: alice } }), 'OK', 4030, notValid);
    assertDenied(await check({ body, headers: { authorization: `Bearer ${alice},Bearer ${alice}` } }), 'OK', 4030, notValid);
    assertDenied(await check({ body, headerMap: [['authorization', `Bearer ${alice}`]] }), 'OK', 4030, notValid);
    const workload = await service.workloads.sign(workloadClaims(service.workloads));
    assertDenied(await check({ body, headers: { authorization: `Bearer ${workload}` } }), 'OK', 4030, notValid);
  });

  it('records every Check once, with what was asked and nothing of what is secret', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'mcp-protocol-version': '2025-11-25' };
    const params = { name: 'close_ticket', arguments: { number: 12 } };
    const allowed = await recordOf(await check({ headers, body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params } }));
    const { id, time, decisionId, revision, durationMs, overheadMs, requestBytes, ...rest } = allowed;
    assert.deepEqual(rest, {
      effect: 'allow',
      code: '',
      reason: '',
      policies: ['support-tickets'],
      wouldDeny: [],
      cached: false,
      user: { id: 'alice', issuer: service.users.url, groups: ['support'] },
      agent: { namespace: 'agents', serviceAccount: 'helpdesk', pod: 'helpdesk-0' },
      server: 'tickets',
      method: 'tools/call',
      target: 'close_ticket',
      argumentNames: ['number'],
      argumentsSha256: createHash('sha256').update(JSON.stringify(params)).digest('hex'),
      credential: 'file:alice',
      outcome: 'ok',
      httpStatus: null,
      rpcCode: null,
      protocolVersion: '2025-11-25',
      traceId,
      spanId: 'b7ad6b7169203331',
      responseBytes: 0,
      source: 'envoy-check',
    });

    const deniedRecord = await recordOf(await check({ body: callOf('delete_ticket', { number: 4711 }) }));
    assert.deepEqual(
      [
        deniedRecord.effect,
        deniedRecord.code,
        deniedRecord.outcome,
        deniedRecord.httpStatus,
        deniedRecord.rpcCode,
        deniedRecord.credential,
      ],
      ['deny', 'forbidden', 'denied', 200, 4030, ''],
    );
    const rejected = await recordOf(await check({ body: '{', headers: { authorization: undefined } }));
    assert.deepEqual(
      [rejected.effect, rejected.code, rejected.outcome, rejected.user, rejected.httpStatus],
      ['deny', 'malformed', 'rejected', null, 400],
    );
    assert.doesNotMatch(JSON.stringify([allowed, deniedRecord, rejected]) + service.log.text(), /alices-secret|4711/);
  });

  it('answers a request without attributes with a denial, not with an error', async () => {
    assertDenied(await proxy.check({ attributes: null }), 'Forbidden', 4030, /no HTTP request/, null);
  });

  it('denies, and gives no error, when the proxy does not prove itself', async () => {
    const body = callOf('list_tickets');
    for (const [token, reason] of [
      [undefined, /^the workload token is missing$/],
      ['x', /^the workload token is not valid for this service$/],
      [alice, /^the workload token is not valid for this service$/],
    ] as const) {
      const stranger = new PolicyClient(service, token);
      assertDenied(await stranger.check(checkRequest({ body }, alice)), 'OK', 4030, reason);
      stranger.close();
    }
  });
});

describe('Envoy Check for a server that authorizes agents itself', () => {
  it('denies, since Authorization cannot be both the user’s token and for the server', async () => {
    const own = 'name: own\nurl: https://own.example/mcp\ncredential: {strategy: agent}\n';
    const service = await startService({}, { ...TEST_BUNDLE, 'servers/own.yaml': own });
    const proxy = await PolicyClient.of(service);
    try {
      const alice = await service.users.sign(userClaims(service.users));
      const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const check = (headers: Checked['headers'] = {}) => proxy.check(checkRequest({ server: 'own', body, headers }, alice));
      const only = /^own authorizes agents itself, and only a sidecar can carry what they show it$/;
      assertDenied(await check(), 'OK', 4030, only);
      assertDenied(await check({ 'proxy-authorization': `Bearer ${alice}` }), 'OK', 4030, only);
      const shown = { authorization: 'Bearer the-agents-own', 'proxy-authorization': `Bearer ${alice}` };
      assertDenied(await check(shown), 'OK', 4030, /user token/);
      assert.doesNotMatch(service.log.text(), /the-agents-own/);
    } finally {
      proxy.close();
      await service.stop();
    }
  });
});

describe('Envoy Check without caller authentication', () => {
  it('is possible when an operator wants it, and knows no agent then', async () => {
    const service = await startService({ SIDEGATE_CHECK_AUTH: 'none' });
    const proxy = new PolicyClient(service);
    try {
      const token = await service.users.sign(userClaims(service.users));
      assertAllowed(await proxy.check(checkRequest({ server: 'everything', body: { jsonrpc: '2.0', id: 1, method: 'ping' } }, token)));
      const stream = proxy.decide();
      stream.resume();
      const ended = await new Promise((resolve) => stream.on('error', (error) => resolve((error as { code?: number }).code)));
      assert.equal(ended, 16, 'a sidecar must still prove itself');
    } finally {
      proxy.close();
      await service.stop();
    }
  });
});
