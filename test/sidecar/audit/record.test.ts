import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseAuditRecord } from '../../../extauthz/store/audit-record-schema.ts';
import { auditRecordJson } from '../../../sidecar/audit/record.ts';
import type { Exchange } from '../../../sidecar/exchange.ts';
import { decision, finishedCall, OK } from '../support/finished.ts';

const TRACE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const record = (exchange: Exchange, ending = OK) => JSON.parse(auditRecordJson(exchange, ending, TRACE, 1_010)) as Record<string, unknown>;

describe('audit record', () => {
  it('says who asked for what, what was decided and how it ended', () => {
    const { id, ...rest } = record(finishedCall());
    assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(rest, {
      time: '2026-01-02T03:04:05.067Z',
      decisionId: 'd1',
      revision: 'r1',
      effect: 'allow',
      code: '',
      reason: '',
      policies: ['p1'],
      wouldDeny: [],
      cached: true,
      user: { id: 'alice', subject: 'alice', issuer: 'https://idp', groups: ['g'] },
      agent: { namespace: 'ns', serviceAccount: 'sa', pod: null },
      server: 'tickets',
      method: 'tools/call',
      target: 'list_issues',
      argumentNames: ['query'],
      argumentsSha256: createHash('sha256').update('{"name":"list_issues"}').digest('hex'),
      credential: 'file:alice',
      outcome: 'ok',
      httpStatus: 200,
      rpcCode: null,
      protocolVersion: '2025-11-25',
      durationMs: 10,
      overheadMs: 2,
      ...TRACE,
      requestBytes: 200,
      responseBytes: 300,
      source: 'sidecar',
    });
  });

  it('of two messages under one decision tells them apart in everything that differs', () => {
    const shared = decision();
    const first = record(finishedCall({ decision: shared }));
    const second = record(
      finishedCall({ decision: shared, target: 'other', protocolVersion: '2026-07-28', argumentNames: [], requestBytes: 1 }),
    );
    const again = record(finishedCall({ decision: shared }));
    assert.notEqual(first['id'], again['id']);
    assert.deepEqual({ ...again, id: '' }, { ...first, id: '' });
    assert.deepEqual(
      [second['target'], second['protocolVersion'], second['argumentNames'], second['requestBytes']],
      ['other', '2026-07-28', [], 1],
    );
  });

  it('is one JSON line that the policy service takes, whatever the agent sends', () => {
    const hostile = 'a"b\\c\nd\u2028\ud800","effect":"allow';
    const exchange = finishedCall({
      target: hostile,
      method: hostile,
      protocolVersion: hostile,
      argumentNames: [hostile, 'x'.repeat(5_000)],
    });
    const json = auditRecordJson(exchange, { ...OK, outcome: 'denied', rpcCode: 4030 }, TRACE, 1_010);
    assert.doesNotMatch(json, /\n/);
    const parsed = JSON.parse(json);
    assert.equal(parsed.target, hostile);
    assert.equal(parsed.effect, 'deny');
    assert.equal(parsed.argumentNames[1].length, 1_025);
    assert.ok(parseAuditRecord(Buffer.from(json)).ok);
  });

  it('of a message that was never decided has nothing of a decision', () => {
    const refusal = { code: 'malformed', reason: 'not JSON', httpStatus: 400, rpcCode: -32700 } as const;
    const { effect, user, agent, decisionId, credential, reason } = record(
      finishedCall({ decision: undefined, cached: false, forwardedAtMs: undefined, answeredAtMs: undefined, refusal }),
      { outcome: 'rejected', httpStatus: 400, rpcCode: -32700, responseBytes: 0 },
    );
    assert.deepEqual([effect, user, agent, decisionId, credential, reason], ['deny', null, null, '', '', 'not JSON']);
  });
});
