import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readResult } from './verdict.ts';

function checks(...statuses: [id: string, status: string][]): string {
  return JSON.stringify(statuses.map(([id, status]) => ({ id, status, description: `about ${id}`, name: id })));
}

describe('the result of a scenario', () => {
  const cases = [
    { name: 'one failure among successes', given: checks(['a', 'SUCCESS'], ['b', 'FAILURE'], ['c', 'WARNING']), verdict: 'fail' },
    { name: 'a warning', given: checks(['a', 'SUCCESS'], ['b', 'WARNING']), verdict: 'warn' },
    { name: 'successes and notes', given: checks(['a', 'SUCCESS'], ['b', 'INFO'], ['c', 'SKIPPED']), verdict: 'pass' },
    { name: 'nothing but what was skipped', given: checks(['a', 'SKIPPED']), verdict: 'skip' },
    { name: 'nothing but notes', given: checks(['a', 'INFO']), verdict: 'skip' },
    { name: 'no check', given: '[]', verdict: 'skip' },
  ];
  for (const { name, given, verdict } of cases) {
    it(`${name}: ${verdict}`, () => assert.equal(readResult(given).verdict, verdict));
  }

  it('takes the worst of several checks with one id, in any order', () => {
    for (const given of [checks(['a', 'FAILURE'], ['a', 'SUCCESS']), checks(['a', 'SUCCESS'], ['a', 'FAILURE'])]) {
      const { verdict, checks: found, passed, failed } = readResult(given);
      assert.deepEqual(
        { verdict, found: [...found], passed, failed },
        { verdict: 'fail', found: [['a', 'FAILURE']], passed: 1, failed: 1 },
      );
    }
  });

  it('takes no status that it does not know', () => {
    assert.throws(() => readResult(checks(['a', 'PROBABLY'])));
  });
});
