interface Entry<T> {
  readonly value: Promise<T>;
  /** Infinity while the value is on its way. */
  untilMs: number;
}

/** Values that are fetched when they are first needed, shared by whoever needs them meanwhile, and kept for as long as they say. */
export class TimedCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxEntries: number;
  readonly #nowMs: () => number;

  constructor(maxEntries: number, nowMs: () => number) {
    this.#maxEntries = maxEntries;
    this.#nowMs = nowMs;
  }

  /** @param keepMs how long a fetched value is good for, in milliseconds; 0 for one that is not kept */
  get(key: string, fetch: () => Promise<T>, keepMs: (value: T) => number): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined && this.#nowMs() < known.untilMs) return known.value;
    const value = fetch();
    const entry: Entry<T> = { value, untilMs: Number.POSITIVE_INFINITY };
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= this.#maxEntries) this.#entries.delete(oldest);
    this.#entries.set(key, entry);
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    value.then((fetched) => {
      const ms = keepMs(fetched);
      if (ms > 0) entry.untilMs = this.#nowMs() + ms;
      else forget();
    }, forget);
    return value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
