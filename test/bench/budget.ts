/** How long everything is measured. */
export interface Budget {
  /** Each round measures every row once, each with a new gateway process. */
  readonly rounds: number;
  /** Load before anything is measured, so that code is compiled and connections are open. */
  readonly warmUp: Bound;
  readonly single: Bound;
  readonly concurrent: Bound;
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

/** Under five minutes on two processors. */
export const FULL: Budget = {
  rounds: 3,
  warmUp: { maxCalls: ANY, maxMs: 1_200 },
  single: { maxCalls: ANY, maxMs: 1_500 },
  concurrent: { maxCalls: ANY, maxMs: 2_500 },
  settleMs: 400,
};

/** Under a minute. */
export const SHORT: Budget = {
  rounds: 1,
  warmUp: { maxCalls: ANY, maxMs: 900 },
  single: { maxCalls: ANY, maxMs: 500 },
  concurrent: { maxCalls: ANY, maxMs: 1_000 },
  settleMs: 200,
};

/** A budget that only shows that everything works. */
export function tiny(calls: number): Budget {
  const bound = { maxCalls: calls, maxMs: 10_000 };
  return { rounds: 1, warmUp: bound, single: bound, concurrent: bound, settleMs: 0 };
}
