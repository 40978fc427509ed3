/** Whether the compiled policies of a bundle may answer in Cedar's place. */
export class Trust {
  readonly #every: number;
  #answers = 0;
  #lost = false;

  /** @param every Cedar is asked as well at the first answer, and at one in so many. */
  constructor(every: number) {
    this.#every = every;
  }

  get isTrusted(): boolean {
    return !this.#lost;
  }

  isCheckDue(): boolean {
    this.#answers += 1;
    return this.#answers % this.#every === 1;
  }

  lose(): void {
    this.#lost = true;
  }
}
