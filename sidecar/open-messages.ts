/** What is being handled at the moment. Each promise settles once its records are written, so that stopping can wait for the last of them. */
export class OpenMessages {
  readonly #open = new Set<Promise<void>>();

  /** @param handling never rejects */
  track(handling: Promise<void>): Promise<void> {
    this.#open.add(handling);
    return handling.finally(() => this.#open.delete(handling));
  }

  /** Settles when none is open any more, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([Promise.all(this.#open), late]);
    clearTimeout(timer);
  }
}
