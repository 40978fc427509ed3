/** A server that ran this long before it ended did start. */
const STEADY_MS = 10_000;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

interface Failures {
  readonly count: number;
  readonly notBeforeMs: number;
}

/** Makes servers that end soon after their start wait longer and longer for the next one. Times are monotonic milliseconds. */
export class RestartBackoff {
  readonly #failures = new Map<string, Failures>();

  /** Takes note of an end that nobody asked for. */
  ended(key: string, startedAtMs: number, nowMs: number): void {
    if (nowMs - startedAtMs >= STEADY_MS) return void this.#failures.delete(key);
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { count, notBeforeMs: nowMs + Math.min(FIRST_DELAY_MS * 2 ** (count - 1), MAX_DELAY_MS) });
  }

  /** How long the next start has to wait. */
  delayMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#failures.get(key)?.notBeforeMs ?? 0) - nowMs);
  }

  /** Forgets what is long over. */
  sweep(nowMs: number): void {
    for (const [key, { notBeforeMs }] of this.#failures) if (nowMs - notBeforeMs > MAX_DELAY_MS) this.#failures.delete(key);
  }
}
