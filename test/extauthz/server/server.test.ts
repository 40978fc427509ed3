import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { Client, credentials, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { Asking, endOf, PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { userClaims } from '../support/test-issuer.ts';

const healthService = loadSync(protoPath, { enums: String })['grpc.health.v1.Health'] as unknown as Record<
  string,
  { path: string; requestSerialize: (value: object) => Buffer; responseDeserialize: (bytes: Buffer) => { status: string } }
>;

async function healthOf({ grpcPort, caPem }: RunningService, service: string): Promise<string> {
  const client = new Client(`localhost:${grpcPort}`, credentials.createSsl(Buffer.from(caPem)));
  const { path, requestSerialize, responseDeserialize } = healthService['Check'] ?? assert.fail();
  try {
    return await new Promise((resolve) =>
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) =>
        resolve(error?.details ?? answer?.status ?? ''),
      ),
    );
  } finally {
    client.close();
  }
}

describe('the running policy service', () => {
  let service: RunningService;
  let client: PolicyClient;
  before(async () => {
    service = await startService();
    client = await PolicyClient.of(service);
  });
  after(async () => {
    client.close();
    await service.stop();
  });

  it('says over gRPC that it is healthy', async () => {
    for (const name of ['', 'sidegate.v1.PolicyService', 'envoy.service.auth.v3.Authorization'])
      assert.equal(await healthOf(service, name), 'SERVING');
  });

  it('does not speak without TLS', async () => {
    const plain = new Client(`localhost:${service.grpcPort}`, credentials.createInsecure());
    const error = await new Promise<{ code?: number } | null>((resolve) =>
      plain.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        () => Buffer.alloc(0),
        (bytes: Buffer) => bytes,
        {},
        { deadline: Date.now() + 2_000 },
        (problem) => resolve(problem),
      ),
    );
    assert.ok(error?.code === status.UNAVAILABLE || error?.code === status.DEADLINE_EXCEEDED, String(error?.code));
    plain.close();
  });

  it('offers no reflection unless it is asked to', async () => {
    assert.equal(await reflects(service), false);
    const open = await startService({ SIDEGATE_REFLECTION: 'true' });
    assert.equal(await reflects(open), true);
    await open.stop();
  });

  it('answers on its HTTP port', async () => {
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${service.httpUrl}${path}`, init);
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    };
    assert.deepEqual(await get('/healthz'), { status: 200, type: 'application/json', text: '{"status":"ok"}\n' });
    const ready = await get('/readyz');
    assert.equal(ready.status, 200);
    const { revision, ...rest } = JSON.parse(ready.text) as { revision: string };
    assert.match(revision, /^[0-9a-f]{16}$/);
    assert.deepEqual(rest, { ready: true, reasons: [], refusedBundle: [], streams: 0 });
    assert.equal((await get('/')).status, 404);
    assert.equal((await get('/healthz', { method: 'POST', body: 'x' })).status, 405);
    assert.equal((await get('/healthz', { method: 'HEAD' })).text, '');
  });

  it('counts what it does under the documented names', async () => {
    const asking = new Asking(client);
    const token = await service.users.sign(userClaims(service.users));
    await asking.ask({ userToken: token, server: 'everything', method: 'ping' });
    await asking.ask({ userToken: '', method: 'ping' });
    asking.close();
    const revision = (JSON.parse(await (await fetch(`${service.httpUrl}/readyz`)).text()) as { revision: string }).revision;
    const text = await (await fetch(`${service.httpUrl}/metrics`)).text();
    const labels = (...wanted: string[]) => wanted.map((label) => `(?=[^}]*${label})`).join('');
    assert.match(text, new RegExp(`^sidegate_decisions_total\\{${labels('effect="allow"', 'code=""', 'door="decide"')}[^}]*\\} 1$`, 'm'));
    assert.match(
      text,
      new RegExp(`^sidegate_decisions_total\\{${labels('effect="deny"', 'code="unauthenticated"', 'door="decide"')}[^}]*\\} 1$`, 'm'),
    );
    assert.match(text, new RegExp(`^sidegate_decision_duration_seconds_count\\{${labels('door="decide"')}[^}]*\\} 2$`, 'm'));
    assert.match(text, /^sidegate_decision_duration_seconds_bucket\{[^}]*le="0\.0001"[^}]*\} \d/m);
    assert.match(text, new RegExp(`^sidegate_bundle_info\\{${labels(`revision="${revision}"`)}[^}]*\\} 1$`, 'm'));
    service.writeBundle({ 'groups.yaml': 'users: [' });
    await untilMetric(/^sidegate_bundle_reload_failures_total(\{[^}]*\})? 1$/m);
    const { refusedBundle } = JSON.parse(await (await fetch(`${service.httpUrl}/readyz`)).text()) as { refusedBundle: string[] };
    assert.match(refusedBundle[0] ?? '', /^groups\.yaml:\d+: /);
    await client.check({ attributes: null });
    await untilMetric(/^sidegate_audit_records_total(\{[^}]*\})? 1$/m);
  });

  const untilMetric = async (pattern: RegExp) => {
    for (let waited = 0; ; waited += 20) {
      const text = await (await fetch(`${service.httpUrl}/metrics`)).text();
      if (pattern.test(text)) return;
      assert.ok(waited < 20_000, text);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
});

describe('a stopping policy service', () => {
  it('answers the questions it has, ends its streams with UNAVAILABLE, and stores its records', async () => {
    const service = await startService({ SIDEGATE_DRAIN_MS: '30000' });
    const client = await PolicyClient.of(service);
    const token = await service.users.sign(userClaims(service.users));
    const asking = new Asking(client);
    const watch = client.watch();
    const watchEnded = endOf(watch);
    await once(watch, 'data');
    watch.resume();
    await asking.ask({ userToken: token, server: 'everything', method: 'ping' });

    const startedAt = performance.now();
    const stopped = service.stop();
    const stopping = { code: status.UNAVAILABLE, details: 'the policy service is stopping' };
    assert.deepEqual(await asking.ended, stopping);
    assert.deepEqual(await watchEnded, stopping);
    await stopped;
    assert.ok(performance.now() - startedAt < 20_000, 'does not wait for the whole drain time');
    client.close();
  });
});

/** Whether the server knows the reflection service at all. */
async function reflects({ grpcPort, caPem }: RunningService): Promise<boolean> {
  const client = new Client(`localhost:${grpcPort}`, credentials.createSsl(Buffer.from(caPem)));
  const stream = client.makeBidiStreamRequest(
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
  );
  stream.on('data', () => {});
  stream.end();
  const { code } = await endOf(stream);
  client.close();
  return code !== status.UNIMPLEMENTED;
}
