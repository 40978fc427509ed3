import type { PolicyEvaluation } from '../policy-evaluation.ts';
import type { RowName } from '../rows.ts';
import type { RowSummary } from './summary.ts';

/** Something the project promises about its cost, and what this run says about it. */
export interface Bar {
  readonly what: string;
  /** Null when the run cannot tell. */
  readonly measured: number | null;
  readonly bar: number;
  readonly goal: number;
  readonly better: 'higher' | 'lower';
  readonly unit: 'x' | 'us' | 'MB' | 'ms';
}

export type Summaries = ReadonlyMap<RowName, RowSummary>;

export function ratio(a: number | null | undefined, b: number | null | undefined): number | null {
  return a == null || b == null || !(b > 0) ? null : a / b;
}

function difference(a: number | undefined, b: number | undefined): number | null {
  return a === undefined || b === undefined ? null : a - b;
}

/** The project's numbers, each as ratio or difference within this run. */
export function bars(summaries: Summaries, policy: PolicyEvaluation | undefined): readonly Bar[] {
  const rate = (name: RowName) => summaries.get(name)?.concurrent.callsPerSecond;
  const cpu = (name: RowName) => summaries.get(name)?.concurrent.gatewayCpuUs;
  const p50 = (name: RowName) => summaries.get(name)?.single.p50Us;
  const governed = summaries.get('governed');
  return [
    {
      what: 'governed throughput over http-proxy-3, c=16',
      measured: ratio(rate('governed'), rate('httpProxy3')),
      bar: 1.05,
      goal: 1.3,
      better: 'higher',
      unit: 'x',
    },
    {
      what: 'governed CPU a call over bare undici, c=16',
      measured: ratio(cpu('governed'), cpu('undici')),
      bar: 1.7,
      goal: 1.3,
      better: 'lower',
      unit: 'x',
    },
    {
      what: 'governed throughput over nginx, c=16',
      measured: ratio(rate('governed'), rate('nginx')),
      bar: 0.35,
      goal: 0.45,
      better: 'higher',
      unit: 'x',
    },
    {
      what: 'p50 added to bare undici, c=1, cached',
      measured: difference(p50('governed'), p50('undici')),
      bar: 60,
      goal: 25,
      better: 'lower',
      unit: 'us',
    },
    {
      what: 'p50 added to bare undici, c=1, decided per call',
      measured: difference(p50('governedUncached'), p50('undici')),
      bar: 250,
      goal: 150,
      better: 'lower',
      unit: 'us',
    },
    {
      what: 'filtered list CPU over unfiltered relay, c=16',
      measured: ratio(cpu('governedList'), cpu('governedLarge')),
      bar: 1.3,
      goal: 1,
      better: 'lower',
      unit: 'x',
    },
    {
      what: 'policy evaluation among 1,000 policies, p50',
      measured: policy?.manyP50Us ?? null,
      bar: 25,
      goal: 5,
      better: 'lower',
      unit: 'us',
    },
    {
      what: 'the same over among 10 policies',
      measured: ratio(policy?.manyP50Us, policy?.fewP50Us),
      bar: 2,
      goal: 1.2,
      better: 'lower',
      unit: 'x',
    },
    { what: 'idle sidecar, resident memory', measured: governed?.idleRssMb ?? null, bar: 60, goal: 45, better: 'lower', unit: 'MB' },
    { what: 'sidecar ready after exec', measured: governed?.readyMs ?? null, bar: 300, goal: 120, better: 'lower', unit: 'ms' },
  ];
}

export function verdict({ measured, bar, goal, better }: Bar): 'goal' | 'bar' | 'MISSED' | 'not measured' {
  if (measured === null) return 'not measured';
  const reaches = (limit: number): boolean => (better === 'higher' ? measured >= limit : measured <= limit);
  if (reaches(goal)) return 'goal';
  return reaches(bar) ? 'bar' : 'MISSED';
}
