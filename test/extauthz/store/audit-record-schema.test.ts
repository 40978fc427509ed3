import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAuditRecord } from '../../../extauthz/store/audit-record-schema.ts';
import { auditRecord } from '../support/audit-records.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a reported audit record', () => {
  it('is taken as it is', () => {
    const record = auditRecord();
    assert.deepEqual(parseAuditRecord(bytes(record)), { ok: true, value: record });
  });

  it('may lack a user, an agent, a status and a trace', () => {
    const record = auditRecord({
      user: null,
      agent: null,
      httpStatus: null,
      rpcCode: -32600,
      traceId: '',
      spanId: '',
      argumentsSha256: '',
    });
    assert.deepEqual(parseAuditRecord(bytes(record)), { ok: true, value: record });
  });

  it('loses fields that this version does not know', () => {
    const record = auditRecord();
    assert.deepEqual(parseAuditRecord(bytes({ ...record, future: 1, arguments: { password: 'x' } })), { ok: true, value: record });
  });

  it('is cut where it is too long, not refused', () => {
    const parsed = parseAuditRecord(
      bytes(auditRecord({ target: 'x'.repeat(100_000), argumentNames: Array.from({ length: 5_000 }, (_, i) => `a${i}`) })),
    );
    assert.ok(parsed.ok);
    assert.equal(parsed.value.target.length, 8_192);
    assert.match(parsed.value.target, /^x+…$/);
    assert.equal(parsed.value.argumentNames.length, 1_024);
  });

  const malformed: readonly [string, string, object][] = [
    ['an id that is no UUID version 7', 'id', { id: '3b241101-e2bb-4255-8caf-4136c566a962' }],
    ['a time that is none', 'time', { time: 'yesterday' }],
    ['a day that does not exist', 'time', { time: '2026-02-30T00:00:00Z' }],
    ['an effect that is neither', 'effect', { effect: 'maybe' }],
    ['an outcome that is unknown', 'outcome', { outcome: 'fine' }],
    ['a negative duration', 'durationMs', { durationMs: -1 }],
    ['a trace id that is not hexadecimal', 'traceId', { traceId: 'g'.repeat(32) }],
    ['a missing field', 'server', { server: undefined }],
    ['a user that is a text', 'user', { user: 'alice' }],
  ];
  for (const [what, field, change] of malformed) {
    it(`is malformed with ${what}`, () => {
      const parsed = parseAuditRecord(bytes({ ...auditRecord(), ...change }));
      assert.equal(!parsed.ok && parsed.failure.kind, 'malformed_record');
      assert.match(parsed.ok ? '' : parsed.failure.detail, new RegExp(`^${field}: `));
    });
  }
  for (const [what, content] of [
    ['text', 'no'],
    ['nothing', ''],
    ['an array', '[]'],
    ['null', 'null'],
    ['bytes that are not UTF-8', Buffer.from([0xff])],
  ] as const) {
    it(`is malformed when it is ${what}`, () => assert.equal(parseAuditRecord(Buffer.from(content)).ok, false));
  }
});
