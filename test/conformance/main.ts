import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { StartupError } from '../../runtime/lifecycle.ts';
import { LEGS, type Leg } from './legs.ts';
import { conformanceDocument, reportText } from './report.ts';
import { runLegs } from './run-legs.ts';
import { findSuite } from './suite/installation.ts';
import { REVISIONS, SIDES } from './suite/requirement-set.ts';

const HELP = `Usage: npm run test:conformance -- [options]

Runs the official MCP conformance suite against servers and clients of our own, directly and through a sidecar that permits
everything. Fails when a scenario does not come out the same both ways, or when one that counts does not pass directly.

  --set REVISION   one requirement set: ${REVISIONS.join(' or ')}
  --side SIDE      one side: ${SIDES.join(' or ')}
  --sdk LINE       one line of the SDK: v1 or v2
  --json           print one JSON document instead of tables
`;

/** All of it, on a busy machine. */
const TIME_LIMIT_MS = 500_000;

interface Options {
  readonly legs: readonly Leg[];
  readonly json: boolean;
}

/** Undefined when only help was asked for. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      set: { type: 'string' },
      side: { type: 'string' },
      sdk: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const { set, side, sdk, json } = values;
  const isWanted = (leg: Leg) =>
    (set ?? leg.revision) === leg.revision && (side ?? leg.side) === leg.side && (sdk ?? leg.line) === leg.line;
  const legs = LEGS.filter(isWanted);
  if (legs.length === 0) throw new StartupError('these options leave nothing to run; --help says what there is');
  return { legs, json };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return void process.stdout.write(HELP);
  const suite = findSuite();
  const outputDir = mkdtempSync(join(tmpdir(), 'sidegate-conformance-'));
  const started = performance.now();
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const results = await runLegs(suite, options.legs, outputDir, progress);
  const document = conformanceDocument(results, suite.version, (performance.now() - started) / 1_000);
  process.stdout.write(options.json ? `${JSON.stringify(document, undefined, 2)}\n` : reportText(document));
  if (document.identical && document.conformant) return rmSync(outputDir, { recursive: true });
  progress(`What the suite saw, and the sidecar's log, are in ${outputDir}`);
  // What had been started may still be running.
  process.exit(1);
}

setTimeout(() => {
  process.stderr.write(`conformance: not done within ${TIME_LIMIT_MS / 1_000} s\n`);
  process.exit(1);
}, TIME_LIMIT_MS).unref();

// `exit` is where child processes are ended; a signal alone does not lead there.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
try {
  await main();
} catch (error) {
  const isKnown =
    error instanceof StartupError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'));
  process.stderr.write(`conformance: ${isKnown ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  // What had been started may still be running.
  process.exit(1);
}
