import { z } from 'zod';

/** Worst first: of checks with one id, the worst counts. */
const STATUSES = ['FAILURE', 'WARNING', 'SUCCESS', 'SKIPPED'] as const;
type Status = (typeof STATUSES)[number];

/**
 * How a scenario came out.
 *
 * - `pass`: no check failed or warned, and one at least succeeded
 * - `warn`: none failed
 * - `skip`: nothing was checked
 * - `fail`: a check failed
 * - `missing`: the suite has left no result
 */
export type Verdict = 'pass' | 'warn' | 'skip' | 'fail' | 'missing';

export interface ScenarioResult {
  readonly verdict: Verdict;
  readonly passed: number;
  readonly failed: number;
  /** By the check's id; notes of the suite are not among them. */
  readonly checks: ReadonlyMap<string, Status>;
  /** What the checks that failed or warned say. */
  readonly complaints: readonly string[];
}

const CHECKS = z.array(
  z.object({ id: z.string(), status: z.enum([...STATUSES, 'INFO']), description: z.string(), errorMessage: z.string().optional() }),
);

export const MISSING: ScenarioResult = { verdict: 'missing', passed: 0, failed: 0, checks: new Map(), complaints: [] };

/**
 * Reads the checks of one scenario, as the suite writes them.
 * @throws {Error} when they are of another form.
 */
export function readResult(json: string): ScenarioResult {
  const checks = new Map<string, Status>();
  const complaints: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const { id, status, description, errorMessage } of CHECKS.parse(JSON.parse(json))) {
    if (status === 'INFO') continue;
    const known = checks.get(id);
    if (known === undefined || STATUSES.indexOf(status) < STATUSES.indexOf(known)) checks.set(id, status);
    if (status === 'SUCCESS') passed += 1;
    if (status === 'FAILURE') failed += 1;
    if (status === 'FAILURE' || status === 'WARNING') complaints.push(`${id}: ${errorMessage ?? description}`);
  }
  return { verdict: verdictOf(new Set(checks.values())), passed, failed, checks, complaints };
}

function verdictOf(statuses: ReadonlySet<Status>): Verdict {
  if (statuses.has('FAILURE')) return 'fail';
  if (statuses.has('WARNING')) return 'warn';
  return statuses.has('SUCCESS') ? 'pass' : 'skip';
}
