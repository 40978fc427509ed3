import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { REGISTRAR_VARIABLE } from './client/link.ts';
import { type Comparison, compare } from './compare.ts';
import { clientCommand, clientWay, type Leg } from './legs.ts';
import { startConformanceServer } from './server/start-server.ts';
import type { Installation } from './suite/installation.ts';
import { requiredScenarios } from './suite/requirement-set.ts';
import { runSuite } from './suite/run-suite.ts';
import type { ScenarioResult } from './suite/verdict.ts';
import { openGate } from './through/open-gate.ts';
import type { Registrar } from './through/registrar.ts';

export interface LegResult {
  readonly leg: Leg;
  readonly comparisons: readonly Comparison[];
}

const TIME_LIMIT_MS = 150_000;

/** Runs each leg directly and through one sidecar, one after the other, since a busy machine makes timing checks fail. */
export async function runLegs(
  suite: Installation,
  legs: readonly Leg[],
  outputDir: string,
  progress: (line: string) => void,
): Promise<LegResult[]> {
  const gate = await openGate(clientWay);
  try {
    const results: LegResult[] = [];
    for (const leg of legs) {
      const name = `${leg.revision} ${leg.side} ${leg.line}`;
      progress(`${name}: direct`);
      const direct = await runLeg(suite, leg, undefined, join(outputDir, name.replaceAll(' ', '-'), 'direct'));
      progress(`${name}: through the sidecar`);
      const through = await runLeg(suite, leg, gate, join(outputDir, name.replaceAll(' ', '-'), 'through'));
      const scenarios = requiredScenarios(suite, leg.revision, leg.side);
      const isExcluded = (scenario: string) => leg.side === 'client' && clientWay(scenario) === undefined;
      results.push({ leg, comparisons: compare(scenarios, direct, through, isExcluded) });
    }
    return results;
  } finally {
    await gate.close();
  }
}

async function runLeg(
  suite: Installation,
  { revision, side, line }: Leg,
  gate: Registrar | undefined,
  outputDir: string,
): Promise<ReadonlyMap<string, ScenarioResult>> {
  mkdirSync(outputDir, { recursive: true });
  const run = { revision, side, outputDir, timeLimitMs: TIME_LIMIT_MS };
  if (side === 'client') {
    const env: Record<string, string> = gate === undefined ? {} : { [REGISTRAR_VARIABLE]: gate.url };
    return runSuite(suite, { ...run, subject: clientCommand(line), env });
  }
  const server = await startConformanceServer(line);
  try {
    const subject = gate === undefined ? server.url : await gate.register(server.url);
    return await runSuite(suite, { ...run, subject, env: {} });
  } finally {
    await server.close();
  }
}
