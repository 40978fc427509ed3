import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TaskLedger } from '../../../sidecar/tasks/task-ledger.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ALICE = { userId: 'alice', server: 'jobs' };
const BOB = { userId: 'bob', server: 'jobs' };

describe('task ledger', () => {
  it('knows a task together with its owner, and with nobody else', () => {
    const ledger = new TaskLedger();
    ledger.created(ALICE, 't', 'research', undefined, 0);
    assert.equal(ledger.toolOf(ALICE, 't', 1), 'research');
    for (const other of [BOB, { ...ALICE, server: 'other' }, { userId: 'jobs', server: 'alice' }]) {
      assert.equal(ledger.toolOf(other, 't', 1), undefined);
    }
  });

  it('does not mistake one owner for another whose names run together', () => {
    const ledger = new TaskLedger();
    ledger.created({ server: 'a', userId: 'b","c' }, 't', 'x', undefined, 0);
    assert.equal(ledger.toolOf({ server: 'a","b', userId: 'c' }, 't', 1), undefined);
  });

  it('takes the last tool when a server begins its ids again', () => {
    const ledger = new TaskLedger();
    ledger.created(ALICE, '1', 'research', undefined, 0);
    ledger.created(ALICE, '1', 'report', undefined, 1);
    assert.equal(ledger.toolOf(ALICE, '1', 2), 'report');
  });

  for (const [name, ttlMs, keptMs] of [
    ['as long as its server does', 2 * HOUR_MS, 2 * HOUR_MS],
    ['for an hour at least', 1, HOUR_MS],
    ['for a week at most', 1_000 * DAY_MS, 7 * DAY_MS],
    ['for a day, when its server does not say', undefined, DAY_MS],
    ['for an hour, when its server says nonsense', -5, HOUR_MS],
  ] as const) {
    it(`keeps a task ${name}, from its last use`, () => {
      const ledger = new TaskLedger();
      ledger.created(ALICE, 't', 'research', ttlMs, 0);
      assert.equal(ledger.toolOf(ALICE, 't', keptMs), 'research');
      assert.equal(ledger.toolOf(ALICE, 't', 2 * keptMs), 'research');
      assert.equal(ledger.toolOf(ALICE, 't', 3 * keptMs + 1), undefined);
      assert.equal(ledger.toolOf(ALICE, 't', 3 * keptMs + 1), undefined);
    });
  }

  it('forgets, when it is full, what is over, then the oldest of whoever has most', () => {
    const ledger = new TaskLedger(4);
    ledger.created(BOB, 'over', 'research', 1, 0);
    ledger.created(ALICE, 'a', 'research', DAY_MS, 0);
    for (const id of ['b1', 'b2', 'b3']) ledger.created(BOB, id, 'research', DAY_MS, 2 * HOUR_MS);
    const now = 3 * HOUR_MS;
    assert.equal(ledger.toolOf(BOB, 'b1', now), 'research', 'what was over made room');
    for (let flood = 0; flood < 100; flood += 1) ledger.created(BOB, `f${flood}`, 'research', DAY_MS, now);
    assert.equal(ledger.toolOf(ALICE, 'a', now), 'research', 'bob cannot push out what alice has');
    assert.equal(ledger.toolOf(BOB, 'b1', now), undefined, 'and what is forgotten is unknown to him too');
    assert.equal(ledger.toolOf(BOB, 'f99', now), 'research');
  });

  it('does not remember names that would fill the memory', () => {
    const ledger = new TaskLedger();
    const long = 'x'.repeat(1_025);
    ledger.created(ALICE, long, 'research', undefined, 0);
    ledger.created(ALICE, 't', long, undefined, 0);
    assert.equal(ledger.toolOf(ALICE, long, 1), undefined);
    assert.equal(ledger.toolOf(ALICE, 't', 1), undefined);
  });
});
