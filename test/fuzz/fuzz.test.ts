import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { FuzzRun, Outcome } from './fuzz-worker.ts';

/** How many messages are sent. More, and others, for whoever looks for faults: `SIDEGATE_FUZZ_RUNS` and `SIDEGATE_FUZZ_SEED`. */
const MESSAGES = Number(process.env['SIDEGATE_FUZZ_RUNS'] ?? 100_000);
const SEED = Number(process.env['SIDEGATE_FUZZ_SEED'] ?? 1);
const WORKERS = 2;

/** The least share of the messages that has each outcome, in percent: if one were rare, the rest would prove little. */
const LEAST: Readonly<Record<Outcome, number>> = {
  forwarded: 30,
  judged: 30,
  malformed: 10,
  denied: 10,
  hidden: 10,
  shownInFull: 3,
  withheld: 5,
  streams: 5,
};

function run(workerData: FuzzRun): Promise<Record<Outcome, number>> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), { workerData });
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the worker ended without a word')));
  });
}

test(`${MESSAGES} messages: the server gets what was judged, and the agent nothing that is hidden`, async () => {
  const runs = Array.from({ length: WORKERS }, (_, index) => run({ messages: MESSAGES / WORKERS, seed: SEED * WORKERS + index }));
  const counts = await Promise.all(runs);
  for (const [outcome, least] of Object.entries(LEAST) as [Outcome, number][]) {
    const number = counts.reduce((sum, count) => sum + count[outcome], 0);
    assert.ok(number >= (MESSAGES * least) / 100, `${outcome}: ${number} of ${MESSAGES} messages, not ${least} percent`);
  }
});
