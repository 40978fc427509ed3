/** How long everything is measured. */
export interface Budget {
  /** Each round measures every row once, with new gateway processes. */
  readonly rounds: number;
  /**
   * Load on a new process before anything is measured. V8 keeps compiling a sidecar’s code better for its first 25,000 calls;
   * what is measured before says nothing about a process that has run for a minute.
   */
  readonly warmUp: Bound;
  /** The same before each further row of a process. */
  readonly change: Bound;
  readonly single: Bound;
  readonly concurrent: Bound;
  /** How many measurements may be repeated because other programs disturbed them, in the whole run. The least disturbed one counts. */
  readonly repeats: number;
  /** Time a gateway is left alone before its idle memory is read. */
  readonly settleMs: number;
}

/** A load ends when either is reached. */
export interface Bound {
  readonly maxCalls: number;
  readonly maxMs: number;
}

/** Serial numbers have ten digits and are never used twice, which bounds a measurement anyway. */
const ANY = 2_000_000;
export const CONCURRENCY = 16;
/** Above this share of the processors in use, other programs have disturbed a measurement. */
export const MAX_OTHERS_BUSY = 0.1;

/** Under five minutes on two processors. */
export const FULL: Budget = {
  rounds: 3,
  warmUp: { maxCalls: 30_000, maxMs: 8_000 },
  change: { maxCalls: 4_000, maxMs: 1_500 },
  single: { maxCalls: ANY, maxMs: 1_000 },
  concurrent: { maxCalls: ANY, maxMs: 2_000 },
  repeats: 15,
  settleMs: 400,
};

/** Under a minute. */
export const SHORT: Budget = {
  rounds: 1,
  warmUp: { maxCalls: 25_000, maxMs: 6_500 },
  change: { maxCalls: 2_000, maxMs: 400 },
  single: { maxCalls: ANY, maxMs: 300 },
  concurrent: { maxCalls: ANY, maxMs: 1_000 },
  repeats: 0,
  settleMs: 200,
};

/** A budget that only shows that everything works. */
export function tiny(calls: number): Budget {
  const bound = { maxCalls: calls, maxMs: 10_000 };
  return { rounds: 1, warmUp: bound, change: bound, single: bound, concurrent: bound, repeats: 0, settleMs: 0 };
}
