import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchDocument } from './report/document.ts';
import { ROW_NAMES } from './rows.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const CALLS = 200;

test('a run of a few calls measures every row and prints one JSON document', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, '--short', '--json', '--calls', String(CALLS)]);
  const document = JSON.parse(stdout) as BenchDocument;
  for (const name of ROW_NAMES) {
    const row = document.rows[name];
    if (row === undefined) {
      assert.match(document.skipped[name] ?? '', /is not installed$/);
      assert.match(stderr, /^SKIPPED: /m);
      assert.equal(document.throughput[name], undefined);
      continue;
    }
    for (const measured of [row.single, row.concurrent]) {
      // A wrong answer would have ended the run.
      assert.equal(measured.calls, CALLS, name);
      assert.ok(measured.callsPerSecond > 0, name);
      assert.ok(measured.p50Us > 0 && measured.p99Us >= measured.p50Us, name);
    }
    assert.equal(document.throughput[name], row.concurrent.callsPerSecond);
  }
  const { governedOverHttpProxy3, governedOverDirect, governedOverNginx } = document.ratios;
  assert.ok(governedOverHttpProxy3 !== null && governedOverHttpProxy3 > 0);
  assert.ok(governedOverDirect !== null && governedOverDirect > 0);
  assert.equal(governedOverNginx === null, document.rows.nginx === undefined);
  const evaluation = document.bars.filter(({ what }) => /policies/.test(what));
  assert.ok(evaluation.length === 2 && evaluation.every(({ measured }) => measured !== null && measured > 0));
  assert.ok((document.rows.governed?.readyMs ?? 0) > 0);
});
