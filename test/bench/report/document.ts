import type { PolicyEvaluation } from '../policy-evaluation.ts';
import type { RowName } from '../rows.ts';
import { type Bar, bars, ratio, type Summaries, verdict } from './bars.ts';
import type { RowSummary } from './summary.ts';

export interface Conditions {
  readonly node: string;
  readonly processors: number;
  readonly pinning: string;
  readonly rounds: number;
  readonly short: boolean;
}

/** What `--json` prints. Ratios and throughput are at c=16; throughput is in calls a second. */
export interface BenchDocument {
  readonly conditions: Conditions;
  readonly ratios: {
    readonly governedOverHttpProxy3: number | null;
    readonly governedOverNginx: number | null;
    readonly governedOverDirect: number | null;
    /** Of the gateway's CPU time a call. */
    readonly cpuGovernedOverUndici: number | null;
  };
  readonly throughput: Readonly<Partial<Record<RowName, number>>>;
  readonly rows: Readonly<Partial<Record<RowName, RowSummary>>>;
  readonly skipped: Readonly<Partial<Record<RowName, string>>>;
  readonly bars: readonly (Bar & { readonly verdict: string })[];
}

export function benchDocument(
  summaries: Summaries,
  skipped: ReadonlyMap<RowName, string>,
  conditions: Conditions,
  policy?: PolicyEvaluation,
): BenchDocument {
  const rate = (name: RowName) => summaries.get(name)?.concurrent.callsPerSecond;
  const cpu = (name: RowName) => summaries.get(name)?.concurrent.gatewayCpuUs;
  return {
    conditions,
    ratios: {
      governedOverHttpProxy3: ratio(rate('governed'), rate('httpProxy3')),
      governedOverNginx: ratio(rate('governed'), rate('nginx')),
      governedOverDirect: ratio(rate('governed'), rate('direct')),
      cpuGovernedOverUndici: ratio(cpu('governed'), cpu('undici')),
    },
    throughput: Object.fromEntries([...summaries].map(([name, { concurrent }]) => [name, concurrent.callsPerSecond])),
    rows: Object.fromEntries(summaries),
    skipped: Object.fromEntries(skipped),
    bars: bars(summaries, policy).map((bar) => ({ ...bar, verdict: verdict(bar) })),
  };
}
