import { columns } from '../../examples/quick-start/table.ts';
import type { Comparison } from './compare.ts';
import type { LegResult } from './run-legs.ts';
import type { ScenarioResult } from './suite/verdict.ts';

interface Total {
  /** Scenarios that passed, of those that count for conformance. */
  readonly scored: string;
  readonly notScored: string;
  readonly checks: { readonly passed: number; readonly failed: number };
}

export interface ConformanceDocument {
  readonly suite: string;
  readonly node: string;
  readonly seconds: number;
  /** Whether everything came out the same both ways. */
  readonly identical: boolean;
  /** Whether what counts for conformance passes directly: otherwise the comparison would prove little. */
  readonly conformant: boolean;
  readonly legs: readonly {
    readonly requirements: string;
    readonly side: string;
    readonly sdk: string;
    readonly way: string;
    readonly direct: Total;
    /** Of the scenarios that are run both ways. */
    readonly directCompared: Total;
    readonly through: Total;
    readonly scenarios: readonly {
      readonly scenario: string;
      readonly notScored: string | null;
      readonly direct: string;
      readonly through: string | null;
      readonly differences: readonly string[];
    }[];
  }[];
}

export function conformanceDocument(results: readonly LegResult[], suite: string, seconds: number): ConformanceDocument {
  return {
    suite,
    node: process.versions.node,
    seconds,
    identical: results.every(({ comparisons }) => comparisons.every(({ differences }) => differences.length === 0)),
    conformant: results.every(({ comparisons }) => comparisons.every(isConformant)),
    legs: results.map(({ leg, comparisons }) => {
      const compared = comparisons.filter(({ through }) => through !== undefined);
      return {
        requirements: leg.revision,
        side: leg.side,
        sdk: leg.line,
        way: leg.way,
        direct: total(comparisons, ({ direct }) => direct),
        directCompared: total(compared, ({ direct }) => direct),
        through: total(compared, ({ through }) => through),
        scenarios: comparisons.map(({ scenario, notScored, direct, through, differences }) => ({
          scenario,
          notScored: notScored ?? null,
          direct: direct.verdict,
          through: through?.verdict ?? null,
          differences,
        })),
      };
    }),
  };
}

function isConformant({ notScored, direct }: Comparison): boolean {
  return notScored !== undefined || direct.verdict === 'pass' || direct.verdict === 'warn';
}

function total(comparisons: readonly Comparison[], way: (comparison: Comparison) => ScenarioResult | undefined): Total {
  const share = (of: readonly Comparison[]) => `${of.filter((each) => way(each)?.verdict === 'pass').length}/${of.length}`;
  const sum = (field: 'passed' | 'failed') => comparisons.reduce((count, each) => count + (way(each)?.[field] ?? 0), 0);
  return {
    scored: share(comparisons.filter(({ notScored }) => notScored === undefined)),
    notScored: share(comparisons.filter(({ notScored }) => notScored !== undefined)),
    checks: { passed: sum('passed'), failed: sum('failed') },
  };
}

function totalRow(name: string, { scored, notScored, checks }: Total): string[] {
  return [name, scored, notScored, String(checks.passed), String(checks.failed)];
}

/** The whole run as a page of text. */
export function reportText({ suite, node, seconds, identical, conformant, legs }: ConformanceDocument): string {
  const pages = legs.map(({ requirements, side, sdk, way, scenarios, ...totals }) => {
    const rows = scenarios.map(({ scenario, notScored, direct, through, differences }) => [
      differences.length === 0 ? ' ' : '!',
      notScored === null ? scenario : `${scenario} (${notScored})`,
      direct,
      through ?? 'not run',
    ]);
    const isPartial = scenarios.some(({ through }) => through === null);
    return [
      `Requirements ${requirements}, ${side} on SDK ${sdk}, ${way}`,
      '',
      columns([[' ', 'scenario', 'direct', 'through'], ...rows]),
      '',
      columns([
        ['', 'scored', 'not scored', 'checks passed', 'failed'],
        totalRow('direct', totals.direct),
        ...(isPartial ? [totalRow('direct, of those run both ways', totals.directCompared)] : []),
        totalRow('through the sidecar', totals.through),
      ]),
      ...scenarios.flatMap(({ scenario, differences }) =>
        differences.length === 0 ? [] : ['', `! ${scenario}`, ...differences.map((line) => `    ${line}`)],
      ),
      '',
    ].join('\n');
  });
  const verdict = identical ? 'Every scenario came out the same both ways.' : 'SCENARIOS CAME OUT DIFFERENTLY, marked with !.';
  const direct = conformant ? '' : 'SCORED SCENARIOS DO NOT PASS even directly.\n';
  return `${pages.join('\n')}\n${direct}${verdict} Suite ${suite}, Node ${node}, ${Math.round(seconds)} s.\n`;
}
