export interface Clock {
  /** Milliseconds that never go back, from an arbitrary start. */
  monotonicMs(): number;
  /** Unix time in milliseconds. */
  unixMs(): number;
}

export const SYSTEM_CLOCK: Clock = { monotonicMs: () => performance.now(), unixMs: () => Date.now() };
