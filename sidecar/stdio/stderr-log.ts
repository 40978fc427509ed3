const MAX_LINE_CHARACTERS = 2_000;
const MAX_LINES_A_WINDOW = 200;
const WINDOW_MS = 10_000;
const LF = 0x0a;

/** Cuts a server's standard error into log lines: none longer than 2,000 characters, at most 200 in 10 s. */
export class StderrLog {
  readonly #write: (text: string) => void;
  readonly #monotonicMs: () => number;
  #held = Buffer.alloc(0);
  #windowStartMs = 0;
  #lines = 0;
  #dropped = 0;

  constructor(write: (text: string) => void, monotonicMs: () => number) {
    this.#write = write;
    this.#monotonicMs = monotonicMs;
    this.#windowStartMs = monotonicMs();
  }

  push(chunk: Buffer): void {
    let rest = Buffer.concat([this.#held, chunk]);
    for (let end = rest.indexOf(LF); end !== -1; end = rest.indexOf(LF)) {
      this.#line(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
    for (; rest.length > MAX_LINE_CHARACTERS; rest = rest.subarray(MAX_LINE_CHARACTERS)) this.#line(rest.subarray(0, MAX_LINE_CHARACTERS));
    this.#held = Buffer.from(rest);
  }

  end(): void {
    this.#line(this.#held);
    this.#held = Buffer.alloc(0);
    if (this.#dropped > 0) this.#write(`[${this.#dropped} lines left out]`);
  }

  #line(bytes: Buffer): void {
    const text = bytes.toString().trimEnd();
    if (text === '') return;
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      if (this.#dropped > 0) this.#write(`[${this.#dropped} lines left out]`);
      this.#windowStartMs = nowMs;
      this.#lines = 0;
      this.#dropped = 0;
    }
    this.#lines += 1;
    if (this.#lines > MAX_LINES_A_WINDOW) this.#dropped += 1;
    else this.#write(text.length > MAX_LINE_CHARACTERS ? `${text.slice(0, MAX_LINE_CHARACTERS)}…` : text);
  }
}
