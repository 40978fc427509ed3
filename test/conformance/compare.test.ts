import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare } from './compare.ts';
import { conformanceDocument } from './report.ts';
import { readResult, type ScenarioResult } from './suite/verdict.ts';

const SCENARIOS = [{ name: 'calls', notScored: undefined }];

function result(...statuses: [id: string, status: string][]): ScenarioResult {
  return readResult(JSON.stringify(statuses.map(([id, status]) => ({ id, status, description: `about ${id}` }))));
}

function compared(direct: ScenarioResult | undefined, through: ScenarioResult | undefined, isExcluded = false) {
  const map = (each: ScenarioResult | undefined) => new Map(each === undefined ? [] : [['calls', each]]);
  const comparisons = compare(SCENARIOS, map(direct), map(through), () => isExcluded);
  const { identical, conformant } = conformanceDocument(
    [{ leg: { revision: '2025-11-25', side: 'server', line: 'v2', way: 'renamed' }, comparisons }],
    '0',
    1,
  );
  return { identical, conformant, differences: comparisons[0]?.differences ?? [] };
}

describe('a scenario run both ways', () => {
  const good = result(['a', 'SUCCESS']);

  it('is the same when every check came out the same', () => {
    assert.equal(compared(good, result(['a', 'SUCCESS'], ['note', 'INFO'])).identical, true);
  });

  it('is the same but not conformant when it fails both ways', () => {
    const { identical, conformant } = compared(result(['a', 'FAILURE']), result(['a', 'FAILURE']));
    assert.deepEqual({ identical, conformant }, { identical: true, conformant: false });
    assert.equal(compared(good, good).conformant, true);
  });

  it('differs with its verdict', () => {
    const { identical, differences } = compared(good, result(['a', 'FAILURE']));
    assert.equal(identical, false);
    assert.deepEqual(differences, [
      'verdict: pass direct, fail through the sidecar',
      'a: SUCCESS direct, FAILURE through the sidecar',
      'a: about a',
    ]);
  });

  it('differs with one check, though the verdict is the same', () => {
    assert.deepEqual(compared(result(['a', 'FAILURE'], ['b', 'SUCCESS']), result(['a', 'FAILURE'])).differences, [
      'b: SUCCESS direct, none through the sidecar',
    ]);
  });

  it('differs when there is no result, even when there is none both ways', () => {
    for (const [direct, through] of [
      [good, undefined],
      [undefined, good],
      [undefined, undefined],
    ])
      assert.equal(compared(direct, through).identical, false);
  });

  it('is not compared when it is excluded', () => {
    assert.equal(compared(good, undefined, true).identical, true);
  });
});
