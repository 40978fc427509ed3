import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latencies } from './load/latencies.ts';
import { choosePinning, pinned, processorsIn } from './machine/pinning.ts';
import type { Measurement, Sample } from './measure.ts';
import { type Bar, verdict } from './report/bars.ts';
import { benchDocument } from './report/document.ts';
import { median, summarise } from './report/summary.ts';
import { reportText } from './report/table.ts';
import type { RowName } from './rows.ts';

function sample(callsPerSecond: number, gatewayCpuUs: number | null, othersBusy = 0): Sample {
  const measurement: Measurement = {
    calls: 10,
    callsPerSecond,
    p50Us: 100,
    p99Us: 200,
    gatewayCpuUs,
    gatewayBusy: 0.5,
    loadBusy: 0.5,
    othersBusy,
  };
  return { single: measurement, concurrent: measurement, idleRssMb: 50, usedRssMb: 60, readyMs: null };
}

const CONDITIONS = { node: '26', processors: 2, pinning: 'nothing is pinned', rounds: 3, short: false };
const SAMPLES: ReadonlyMap<RowName, readonly Sample[]> = new Map([
  ['direct', [sample(1_000, null)]],
  ['undici', [sample(500, 20)]],
  ['httpProxy3', [sample(200, 50)]],
  ['governed', [sample(100, 99), sample(300, 30), sample(250, 40)]],
]);

test('medians', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('quantiles by nearest rank', () => {
  const latencies = new Latencies();
  for (let value = 100_000; value > 0; value -= 1) latencies.add(value);
  assert.deepEqual(latencies.quantiles([0.5, 0.99, 1]), [50_000, 99_000, 100_000]);
});

test('ratios are those of the medians, and null where a row is missing', () => {
  const { ratios, throughput, skipped } = benchDocument(summarise(SAMPLES), new Map([['nginx', 'nginx is not installed']]), CONDITIONS);
  assert.deepEqual(ratios, { governedOverHttpProxy3: 1.25, governedOverNginx: null, governedOverDirect: 0.25, cpuGovernedOverUndici: 2 });
  assert.deepEqual(throughput, { direct: 1_000, undici: 500, httpProxy3: 200, governed: 250 });
  assert.deepEqual(skipped, { nginx: 'nginx is not installed' });
});

test('a bar is reached, its goal is reached, or it is missed', () => {
  const bar = (measured: number | null, better: Bar['better']): Bar => ({
    what: '',
    measured,
    bar: 10,
    goal: better === 'lower' ? 5 : 15,
    better,
    unit: 'x',
  });
  assert.deepEqual(
    [4, 5, 10, 11].map((measured) => verdict(bar(measured, 'lower'))),
    ['goal', 'goal', 'bar', 'MISSED'],
  );
  assert.deepEqual(
    [9, 10, 15].map((measured) => verdict(bar(measured, 'higher'))),
    ['MISSED', 'bar', 'goal'],
  );
  assert.equal(verdict(bar(null, 'lower')), 'not measured');
});

test('the table has a line for each row, says what was skipped, and warns when the machine was busy', () => {
  const skipped = new Map<RowName, string>([['nginx', 'nginx is not installed']]);
  const quiet = reportText(benchDocument(summarise(SAMPLES), skipped, CONDITIONS));
  assert.match(quiet, /^\| nginx proxy_pass +\| skipped: nginx is not installed +\|/m);
  assert.match(quiet, /^\| governed, cached decision +\| +250 \|/m);
  assert.match(quiet, /^\| governed throughput over http-proxy-3, c=16 +\| +1\.25 x \|/m);
  assert.doesNotMatch(quiet, /spoilt|short run/);
  const busy = benchDocument(summarise(new Map([['undici', [sample(1, 1, 0.4)]]])), skipped, { ...CONDITIONS, short: true });
  assert.match(reportText(busy), /short run.*\n.*up to 40 % .* spoilt/);
});

test('the gateway gets a processor of its own', () => {
  assert.deepEqual(processorsIn('0-2,5'), [0, 1, 2, 5]);
  const { note: _two, ...two } = choosePinning([0, 1]);
  assert.deepEqual(two, { gateway: 0, load: 1, upstream: 1, policyService: 1 });
  const { note: _four, ...four } = choosePinning([4, 5, 6, 7]);
  assert.deepEqual(four, { gateway: 4, load: 5, upstream: 6, policyService: 7 });
  assert.match(choosePinning([0]).note, /one processor/);
  assert.match(choosePinning(undefined).note, /taskset is not installed/);
  assert.deepEqual(pinned(3, ['node', 'x']), ['taskset', '-c', '3', 'node', 'x']);
  assert.deepEqual(pinned(undefined, ['node', 'x']), ['node', 'x']);
});
