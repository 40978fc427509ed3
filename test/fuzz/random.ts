/** Choices that follow from one number, so that fast-check can replay and shrink them. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<T>(options: readonly T[]): T {
    return options[this.below(options.length)] as T;
  }

  /** The bytes in pieces, cut anywhere. */
  pieces(bytes: Buffer): Buffer[] {
    if (!this.chance(50)) return [bytes];
    const pieces: Buffer[] = [];
    const longest = this.of([1, 3, 20, 200]);
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + this.below(bytes.length > 400 ? Math.max(longest, 20) : longest);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    return pieces;
  }
}
