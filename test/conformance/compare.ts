import type { RequiredScenario } from './suite/requirement-set.ts';
import { MISSING, type ScenarioResult } from './suite/verdict.ts';

/** One scenario, run both ways. */
export interface Comparison {
  readonly scenario: string;
  readonly notScored: string | undefined;
  readonly direct: ScenarioResult;
  /** Undefined when the scenario is not run through the sidecar. */
  readonly through: ScenarioResult | undefined;
  /** What is not the same, a line each; empty when nothing differs. */
  readonly differences: readonly string[];
}

/** Puts the results of both ways beside each other, in the order of the requirement set. */
export function compare(
  scenarios: readonly RequiredScenario[],
  direct: ReadonlyMap<string, ScenarioResult>,
  through: ReadonlyMap<string, ScenarioResult>,
  isExcluded: (scenario: string) => boolean,
): Comparison[] {
  return scenarios.map(({ name, notScored }) => {
    const one = direct.get(name) ?? MISSING;
    const other = isExcluded(name) ? undefined : (through.get(name) ?? MISSING);
    return { scenario: name, notScored, direct: one, through: other, differences: other === undefined ? [] : differencesOf(one, other) };
  });
}

function differencesOf(direct: ScenarioResult, through: ScenarioResult): string[] {
  const differences: string[] = [];
  // A scenario without a result is none that agrees with anything.
  if (direct.verdict !== through.verdict || direct.verdict === 'missing')
    differences.push(`verdict: ${direct.verdict} direct, ${through.verdict} through the sidecar`);
  for (const id of new Set([...direct.checks.keys(), ...through.checks.keys()])) {
    const [one = 'none', other = 'none'] = [direct.checks.get(id), through.checks.get(id)];
    if (one !== other) differences.push(`${id}: ${one} direct, ${other} through the sidecar`);
  }
  return differences.length === 0
    ? []
    : [...differences, ...through.complaints.filter((complaint) => !direct.complaints.includes(complaint))];
}
