import type { AuditOutcome } from '../extauthz/api/audit-record.ts';

/** What a server's answer says about how the call went. */
export interface AnswerOutcome {
  readonly outcome: Extract<AuditOutcome, 'ok' | 'rpc_error' | 'tool_error'>;
  readonly rpcCode: number | null;
}

const SUCCESS: AnswerOutcome = { outcome: 'ok', rpcCode: null };
const LONGEST_JSON_BYTES = 65_536;

/**
 * Watches an answer that streams by, for the record's sake. A failure is short, so only short JSON texts are parsed, and only
 * those that mention one; nothing is held back.
 */
export class AnswerObserver {
  readonly #isEventStream: boolean;
  #kept: Buffer[] = [];
  #length = 0;
  #outcome = SUCCESS;

  constructor(isEventStream: boolean) {
    this.#isEventStream = isEventStream;
  }

  observe(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#isEventStream) {
      if (mentionsFailure(chunk)) for (const json of dataLines(chunk)) this.#judge(json);
    } else if (this.#length <= LONGEST_JSON_BYTES) this.#kept.push(chunk);
    else this.#kept = [];
  }

  end(): AnswerOutcome {
    if (!this.#isEventStream && this.#kept.length > 0 && this.#length <= LONGEST_JSON_BYTES) {
      const [only] = this.#kept;
      const body = this.#kept.length === 1 && only !== undefined ? only : Buffer.concat(this.#kept);
      if (mentionsFailure(body)) this.#judge(body.toString());
    }
    return this.#outcome;
  }

  #judge(json: string): void {
    let message: { error?: { code?: unknown }; result?: { isError?: unknown } } | null;
    try {
      message = JSON.parse(json);
    } catch {
      return; // Not a whole message; the answer itself went by untouched.
    }
    if (typeof message?.error === 'object' && message.error !== null) {
      const { code } = message.error;
      this.#outcome = { outcome: 'rpc_error', rpcCode: Number.isSafeInteger(code) ? (code as number) : null };
    } else if (message?.result?.isError === true) this.#outcome = { outcome: 'tool_error', rpcCode: null };
  }
}

/** Ends both `"error"` and `"isError"`. */
const FAILURE = Buffer.from('rror"');

function mentionsFailure(bytes: Buffer): boolean {
  return bytes.includes(FAILURE);
}

function dataLines(chunk: Buffer): string[] {
  return chunk
    .toString()
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length));
}
