const LF = 0x0a;
const CR = 0x0d;

export interface LinesRead {
  /** Whole lines, without their line ends. Empty ones are left out. */
  readonly lines: readonly Buffer[];
  /** How many lines ended that were longer than allowed; nothing of them is given out. */
  readonly oversized: number;
}

/** Cuts the output of a stdio server into lines, whatever chunks it comes in. A line that is too long is passed over without being kept. */
export class LineReader {
  readonly #maxLineBytes: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #passingOver = false;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Buffer): LinesRead {
    const lines: Buffer[] = [];
    let oversized = 0;
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; start = end + 1, end = chunk.indexOf(LF, start)) {
      this.#hold(chunk.subarray(start, end));
      if (this.#passingOver) oversized += 1;
      else {
        const line = this.#held.length === 1 && this.#held[0] !== undefined ? this.#held[0] : Buffer.concat(this.#held, this.#heldBytes);
        const text = line[line.length - 1] === CR ? line.subarray(0, -1) : line;
        if (text.length > 0) lines.push(text);
      }
      this.#drop();
      this.#passingOver = false;
    }
    this.#hold(chunk.subarray(start));
    return { lines, oversized };
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0 || this.#passingOver) return;
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.#maxLineBytes) {
      this.#drop();
      this.#passingOver = true;
    } else this.#held.push(piece);
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/** The message on one line: line ends outside of strings mean nothing in JSON, and inside of them they are always escaped. */
export function onOneLine(message: Uint8Array): Buffer {
  const line = Buffer.from(message);
  for (let at = 0; at < line.length; at += 1) if (line[at] === LF || line[at] === CR) line[at] = 0x20;
  return line;
}
