import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditRecord } from '../../../extauthz/api/audit-record.ts';
import { createAuditBacklog } from '../../../extauthz/store/audit-backlog.ts';
import type { AuditSink } from '../../../extauthz/store/audit-store.ts';
import { createAuditWriter } from '../../../extauthz/store/audit-writer.ts';
import { auditRecord } from '../support/audit-records.ts';
import { silentLogger } from '../support/test-logger.ts';

/** A store that can be told to fail, and remembers each transaction. */
function fakeStore() {
  const commits: AuditRecord[][] = [];
  const ids = new Set<string>();
  const state = { failing: false };
  const store: AuditSink = {
    async append(records) {
      if (state.failing) throw new Error('disk full');
      commits.push([...records]);
      const before = ids.size;
      for (const { id } of records) ids.add(id);
      return ids.size - before;
    },
    close: async () => {},
  };
  return { store, commits, ids, state };
}

describe('audit writer', () => {
  it('commits together what came together, and counts what is new', async () => {
    const { store, commits } = fakeStore();
    const stored: number[] = [];
    const writer = createAuditWriter({ store, gatherMs: 5, onStored: (added) => stored.push(added) });
    const twice = auditRecord();
    await Promise.all([writer.append([twice]), writer.append([auditRecord(), twice]), writer.append([])]);
    assert.equal(commits.length, 1);
    assert.deepEqual(stored, [2]);
    await writer.append([auditRecord()]);
    assert.equal(commits.length, 2);
  });

  it('does not resolve before the commit, and rejects everyone when it fails', async () => {
    const { store, state } = fakeStore();
    const writer = createAuditWriter({ store, gatherMs: 1, onStored: () => {} });
    state.failing = true;
    const results = await Promise.allSettled([writer.append([auditRecord()]), writer.append([auditRecord()])]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    state.failing = false;
    await writer.append([auditRecord()]);
  });

  it('commits what waits when it is closed', async () => {
    const { store, ids } = fakeStore();
    const writer = createAuditWriter({ store, gatherMs: 60_000, onStored: () => {} });
    const waiting = writer.append([auditRecord()]);
    await writer.close();
    await waiting;
    assert.equal(ids.size, 1);
  });
});

describe('audit backlog', () => {
  it('keeps records until they are stored, and is full when there are too many', async () => {
    const { store, ids, state } = fakeStore();
    const writer = createAuditWriter({ store, gatherMs: 1, onStored: () => {} });
    const backlog = createAuditBacklog({ writer, maxRecords: 2, retryMs: 20, logger: silentLogger });
    state.failing = true;
    backlog.add(auditRecord());
    assert.equal(backlog.full, false);
    backlog.add(auditRecord());
    await sleep(50);
    assert.equal(backlog.full, true);
    state.failing = false;
    for (let waited = 0; backlog.full && waited < 20_000; waited += 5) await sleep(5);
    assert.equal(backlog.full, false);
    assert.equal(ids.size, 2);
  });

  it('stores what is left when it is closed', async () => {
    const { store, ids, state } = fakeStore();
    const writer = createAuditWriter({ store, gatherMs: 1, onStored: () => {} });
    const backlog = createAuditBacklog({ writer, maxRecords: 10, retryMs: 60_000, logger: silentLogger });
    state.failing = true;
    backlog.add(auditRecord());
    await sleep(20);
    state.failing = false;
    await backlog.close();
    assert.equal(ids.size, 1);
  });
});
