import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { REGISTRAR_VARIABLE } from './client/link.ts';
import { type Comparison, compare } from './compare.ts';
import { clientCommand, isOnlyDirect, type Leg } from './legs.ts';
import { startConformanceServer } from './server/start-server.ts';
import type { Installation } from './suite/installation.ts';
import { requiredScenarios } from './suite/requirement-set.ts';
import { runSuite } from './suite/run-suite.ts';
import { MISSING, type ScenarioResult } from './suite/verdict.ts';
import { openGate } from './through/open-gate.ts';
import type { Registrar } from './through/registrar.ts';

export interface LegResult {
  readonly leg: Leg;
  readonly comparisons: readonly Comparison[];
}

const BYPASSED: ScenarioResult = { ...MISSING, complaints: ['no call came through the sidecar'] };
const TIME_LIMIT_MS = 150_000;

/** Runs each leg directly and through one sidecar, one after the other, since a busy machine makes timing checks fail. */
export async function runLegs(
  suite: Installation,
  legs: readonly Leg[],
  outputDir: string,
  progress: (line: string) => void,
): Promise<LegResult[]> {
  const gate = await openGate(isOnlyDirect);
  const direct = new Map<string, ReadonlyMap<string, ScenarioResult>>();
  const run = (leg: Leg, name: string, registrar: Registrar | undefined) => {
    progress(name);
    return runLeg(suite, leg, registrar, join(outputDir, name.replaceAll(/[^\w.-]+/g, '-')));
  };
  try {
    const results: LegResult[] = [];
    for (const leg of legs) {
      const { revision, side, line, way } = leg;
      const name = `${revision} ${side} ${line}`;
      const directly = direct.get(name) ?? (await run(leg, `${name}, direct`, undefined));
      direct.set(name, directly);
      const through = await run(leg, `${name}, through the sidecar, ${way}`, gate);
      const isExcluded = (scenario: string) => side === 'client' && isOnlyDirect(scenario, way);
      results.push({ leg, comparisons: compare(requiredScenarios(suite, revision, side), directly, through, isExcluded) });
    }
    return results;
  } finally {
    // Whoever cleans up temporary files meanwhile must not cost the result.
    if (existsSync(gate.sidecarLogFile)) copyFileSync(gate.sidecarLogFile, join(outputDir, 'sidecar.log'));
    await gate.close();
  }
}

async function runLeg(
  suite: Installation,
  { revision, side, line, way }: Leg,
  gate: Registrar | undefined,
  outputDir: string,
): Promise<ReadonlyMap<string, ScenarioResult>> {
  mkdirSync(outputDir, { recursive: true });
  const run = { revision, side, outputDir, timeLimitMs: TIME_LIMIT_MS };
  if (side === 'client') {
    const env: Record<string, string> = gate === undefined ? {} : { [REGISTRAR_VARIABLE]: gate.clientUrl(way) };
    const results = new Map(await runSuite(suite, { ...run, subject: clientCommand(line), env }));
    // A client that found its server in another way has shown nothing about the sidecar.
    for (const scenario of gate?.takeBypasses() ?? []) results.set(scenario, BYPASSED);
    return results;
  }
  const server = await startConformanceServer(line);
  try {
    const subject = gate === undefined ? server.url : await gate.register(server.url, way);
    return await runSuite(suite, { ...run, subject, env: {} });
  } finally {
    await server.close();
  }
}
