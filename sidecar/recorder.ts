import { auditRecordJson, upstreamMs } from './audit/record.ts';
import type { AuditSpool } from './audit/spool.ts';
import type { Ending, Exchange } from './exchange.ts';
import type { MessageSpans } from './telemetry/message-spans.ts';
import type { MessageTelemetry } from './telemetry/telemetry.ts';

/** A message that is over. */
export interface Finished {
  readonly exchange: Exchange;
  readonly spans: MessageSpans;
  readonly ending: Ending;
  readonly endedAtMs: number;
}

const MAX_TOGETHER = 32;
const GATHER_MS = 5;

/**
 * Writes the record, the spans and the counts of finished messages, a few messages at a time: the same code over and over costs half of what
 * it costs once between other things, and the agent has its answer first. Nothing may be left behind: `drain` before stopping.
 */
export class Recorder {
  readonly #telemetry: MessageTelemetry;
  readonly #spool: AuditSpool;
  #waiting: Finished[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(telemetry: MessageTelemetry, spool: AuditSpool) {
    this.#telemetry = telemetry;
    this.#spool = spool;
  }

  add(finished: Finished): void {
    this.#waiting.push(finished);
    if (this.#waiting.length >= MAX_TOGETHER) this.drain();
    else this.#timer ??= setTimeout(() => this.drain(), GATHER_MS);
  }

  /** Records what waits. */
  drain(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const finished = this.#waiting;
    this.#waiting = [];
    for (const { exchange, spans, ending, endedAtMs } of finished) {
      this.#telemetry.end(spans, exchange, ending, endedAtMs, upstreamMs(exchange, endedAtMs));
      this.#spool.add(auditRecordJson(exchange, ending, spans, endedAtMs), exchange.forwardedAtMs === undefined);
    }
  }
}
