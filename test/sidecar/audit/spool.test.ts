import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../../../runtime/logger.ts';
import { AuditSpool } from '../../../sidecar/audit/spool.ts';

const logger = createLogger('test', 'silent');
const record = (id: string) => JSON.stringify({ id });
const ids = (records: readonly Uint8Array[]) => records.map((bytes) => JSON.parse(Buffer.from(bytes).toString()).id);

describe('audit spool', () => {
  it('delivers in order and leaves nothing behind', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spool-'));
    const stored: string[] = [];
    const spool = new AuditSpool({ report: async (records) => void stored.push(...ids(records)), dir, backlogLimit: 1_000, logger });
    for (let index = 0; index < 700; index += 1) spool.add(record(`r${index}`), false);
    await spool.stop(5_000);
    assert.deepEqual(
      stored,
      Array.from({ length: 700 }, (_, index) => `r${index}`),
    );
    assert.equal(spool.backlog, 0);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('tries again until the policy service takes a batch', async () => {
    const stored: string[] = [];
    let failures = 1;
    const report = async (records: readonly Uint8Array[]) => {
      if (failures-- > 0) throw new Error('away');
      stored.push(...ids(records));
    };
    const spool = new AuditSpool({ report, dir: undefined, backlogLimit: 1_000, logger });
    spool.add(record('a'), false);
    await sleep(30);
    spool.add(record('b'), false);
    await spool.stop(5_000);
    assert.deepEqual(stored, ['a', 'b']);
  });

  it('delivers more than it keeps in memory, in order, when the policy service comes back', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spool-'));
    const stored: string[] = [];
    let isAway = true;
    const report = async (records: readonly Uint8Array[]) => {
      if (isAway) throw new Error('away');
      stored.push(...ids(records));
    };
    const spool = new AuditSpool({ report, dir, backlogLimit: 10_000, logger });
    const wanted = Array.from({ length: 5_000 }, (_, index) => `r${index}`);
    for (const id of wanted) spool.add(record(id), false);
    await new Promise(setImmediate);
    isAway = false;
    await spool.stop(10_000);
    assert.deepEqual(stored, wanted);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('hands what a stopped sidecar left to the next one, which skips a line that was cut off', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spool-'));
    const away = new AuditSpool({ report: () => new Promise(() => {}), dir, backlogLimit: 1_000, logger });
    away.add(record('a'), false);
    await away.stop(50);
    assert.equal(away.backlog, 1);
    writeFileSync(join(dir, '0000000000000002.jsonl'), '{"id":"b"}\n{"id":"cut');

    const stored: string[] = [];
    const next = new AuditSpool({ report: async (records) => void stored.push(...ids(records)), dir, backlogLimit: 1_000, logger });
    next.add(record('c'), false);
    await next.stop(5_000);
    assert.deepEqual(stored, ['a', 'b', 'c']);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('sends no more at once than the policy channel takes, whatever an agent makes records hold', async () => {
    const stored: string[] = [];
    const report = async (records: readonly Uint8Array[]) => {
      if (records.reduce((bytes, { length }) => bytes + length, 0) > 2_000_000) throw new Error('too large');
      stored.push(...ids(records));
    };
    for (const dir of [undefined, mkdtempSync(join(tmpdir(), 'spool-'))]) {
      stored.length = 0;
      const spool = new AuditSpool({ report, dir, backlogLimit: 1_000, logger });
      const wanted = Array.from({ length: 100 }, (_, index) => `${index} ${'x'.repeat(300_000)}`);
      for (const id of wanted) spool.add(record(id), false);
      await spool.stop(5_000);
      assert.equal(spool.backlog, 0);
      assert.deepEqual(stored, wanted);
    }
  });

  it('says when it is full', async () => {
    const spool = new AuditSpool({ report: () => new Promise(() => {}), dir: undefined, backlogLimit: 100, logger });
    for (let index = 0; index < 99; index += 1) spool.add(record(`r${index}`), false);
    assert.equal(spool.isFull, false);
    spool.add(record('last'), false);
    assert.equal(spool.isFull, true);
    await spool.stop(10);
  });

  it('takes the record of a message that was forwarded also when refusals have filled it', async () => {
    const spool = new AuditSpool({ report: () => new Promise(() => {}), dir: undefined, backlogLimit: 10, logger });
    for (let index = 0; index < 2_000; index += 1) spool.add(record(`refused${index}`), true);
    const full = spool.backlog;
    assert.ok(full < 2_000, 'refusals do not fill the disk');
    spool.add(record('forwarded'), false);
    assert.equal(spool.backlog, full + 1);
    await spool.stop(10);
  });
});
