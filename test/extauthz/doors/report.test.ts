import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { AuditRecord } from '../../../extauthz/api/audit-record.ts';
import type { AuditAck } from '../../../extauthz/api/protos.ts';
import { openSqliteAuditStore } from '../../../extauthz/store/sqlite-audit-store.ts';
import { auditRecord } from '../support/audit-records.ts';
import { endOf, PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';

describe('Report', () => {
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

  const bytes = (record: unknown) => Buffer.from(JSON.stringify(record));
  const stored = async (): Promise<readonly AuditRecord[]> => {
    const store = openSqliteAuditStore(service.databaseFile, 'read');
    const records = await store.query({ limit: 1_000 });
    await store.close();
    return records;
  };
  /** Sends batches and waits for as many acknowledgements. */
  const report = async (...batches: Uint8Array[][]): Promise<number[]> => {
    const stream = client.report();
    const acks: number[] = [];
    const all = new Promise<void>((resolve, reject) => {
      stream.on('data', ({ id }: AuditAck) => acks.push(id) === batches.length && resolve());
      stream.on('error', reject);
    });
    for (const [index, records] of batches.entries()) stream.write({ id: index + 1, records });
    await all;
    stream.cancel();
    return acks.sort((a, b) => a - b);
  };

  it('acknowledges a batch once it is stored', async () => {
    const record = auditRecord();
    assert.deepEqual(await report([bytes(record)]), [1]);
    assert.deepEqual(
      (await stored()).find(({ id }) => id === record.id),
      record,
    );
  });

  it('stores a record once, however often it comes', async () => {
    const record = auditRecord({ target: 'repeated' });
    assert.deepEqual(await report([bytes(record)], [bytes(record), bytes(record)], [bytes(record)]), [1, 2, 3]);
    assert.deepEqual(await report([bytes(record)]), [1]);
    assert.equal((await stored()).filter(({ target }) => target === 'repeated').length, 1);
  });

  it('drops a malformed record with a log line, keeps its neighbours, and acknowledges', async () => {
    const good = [auditRecord({ target: 'before' }), auditRecord({ target: 'after' })];
    const [first, last] = good.map(bytes);
    assert.ok(first && last);
    assert.deepEqual(await report([first, Buffer.from('{"id":"secret-looking"'), bytes({ ...auditRecord(), effect: 'maybe' }), last]), [1]);
    const ids = new Set((await stored()).map(({ id }) => id));
    assert.ok(good.every(({ id }) => ids.has(id)));
    const lines = service.log.lines.filter(({ msg }) => msg === 'malformed audit record dropped');
    assert.deepEqual(
      lines.map(({ detail }) => detail),
      ['not JSON', 'effect: invalid_value'],
    );
    assert.match(await (await fetch(`${service.httpUrl}/metrics`)).text(), /^sidegate_audit_malformed_records_total(\{[^}]*\})? 2$/m);
  });

  it('takes the agent and the source from the verified stream, not from the record', async () => {
    const record = auditRecord({
      target: 'forged',
      agent: { namespace: 'kube-system', serviceAccount: 'admin', pod: null },
      source: 'envoy-check',
    });
    await report([bytes(record)], [bytes(auditRecord({ target: 'agentless', agent: null }))]);
    for (const target of ['forged', 'agentless']) {
      const found = (await stored()).find((each) => each.target === target);
      assert.deepEqual(found?.agent, { namespace: 'agents', serviceAccount: 'helpdesk', pod: 'helpdesk-0' });
      assert.equal(found?.source, 'sidecar');
    }
  });

  it('takes an empty batch and a large one', async () => {
    const large = Array.from({ length: 2_000 }, () => bytes(auditRecord({ target: 'large' })));
    assert.deepEqual(await report([], large), [1, 2]);
  });

  it('is for verified workloads only', async () => {
    const stranger = new PolicyClient(service);
    const stream = stranger.report();
    stream.resume();
    stream.write({ id: 1, records: [bytes(auditRecord({ target: 'stranger' }))] });
    assert.deepEqual(await endOf(stream), { code: status.UNAUTHENTICATED, details: 'the workload token is missing' });
    assert.equal(
      (await stored()).some(({ target }) => target === 'stranger'),
      false,
    );
    stranger.close();
  });
});
