import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { StartupError } from '../../runtime/lifecycle.ts';
import { FULL, SHORT, tiny } from './budget.ts';
import { builtSidegate } from './built-sidegate.ts';
import { detectPinning } from './machine/pinning.ts';
import { measurePolicyEvaluation } from './policy-evaluation.ts';
import { benchDocument } from './report/document.ts';
import { summarise } from './report/summary.ts';
import { reportText } from './report/table.ts';
import { runBench } from './run-bench.ts';

const HELP = `Usage: npm run bench -- [--short] [--json]

Measures what a governed call costs beside a direct one and beside bare proxies, on this machine, in one run.

  --short   one short round, within a minute
  --json    print one JSON document instead of the table
  --calls N bound each measurement by N calls instead of by time: shows that everything works, measures nothing
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { short: { type: 'boolean' }, json: { type: 'boolean' }, calls: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return void process.stdout.write(HELP);
  const { short = false, calls } = values;
  if (calls !== undefined && !/^[1-9]\d{0,5}$/.test(calls)) throw new StartupError('--calls: not a number of calls from 1 to 999999');
  const budget = calls === undefined ? (short ? SHORT : FULL) : tiny(Number(calls));
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const processors = availableParallelism();
  const pinning = detectPinning();
  progress(pinning.note);
  const policy = measurePolicyEvaluation();
  const { samples, skipped } = await runBench({ budget, pinning, sidegate: builtSidegate(), progress });
  const conditions = { node: process.versions.node, processors, pinning: pinning.note, rounds: budget.rounds, short };
  const document = benchDocument(summarise(samples), skipped, conditions, policy);
  process.stdout.write(values.json ? `${JSON.stringify(document, undefined, 2)}\n` : reportText(document));
}

// Leaving through `exit` ends the other processes as well.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  const known =
    error instanceof StartupError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'));
  process.stderr.write(`bench: ${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
}
