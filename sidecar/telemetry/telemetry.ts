import type { Metrics } from '../../runtime/metrics.ts';
import type { SpanExport } from '../../runtime/span-export.ts';
import type { Ending, Exchange } from '../exchange.ts';
import { MessageMetrics } from './message-metrics.ts';
import { type MessageSpans, SpanWriter } from './message-spans.ts';
import { isSampled, parseTraceparent, randomHex } from './trace-context.ts';

/** Spans and metrics of the request path, under the names of the OpenTelemetry MCP conventions. */
export class MessageTelemetry {
  readonly #spans: SpanWriter | undefined;
  readonly #metrics: MessageMetrics;

  /** @param spans undefined: spans have ids, so that trace context still flows, but none is recorded. */
  constructor(spans: SpanExport | undefined, metrics: Metrics) {
    this.#spans = spans === undefined ? undefined : new SpanWriter(spans);
    this.#metrics = new MessageMetrics(metrics);
  }

  /**
   * Begins the SERVER span. It is sampled as its parent is; without one it is when spans are exported at all.
   * @param metaTraceparent `params._meta.traceparent`, the parent when it is valid (SEP-414)
   * @param httpTraceparent the HTTP field: linked when there is also a parent in `_meta`, else the parent
   */
  start(metaTraceparent: string | undefined, httpTraceparent: string | undefined): MessageSpans {
    const fromMeta = metaTraceparent === undefined ? undefined : parseTraceparent(metaTraceparent);
    const fromHttp = httpTraceparent === undefined ? undefined : parseTraceparent(httpTraceparent);
    const parent = fromMeta ?? fromHttp;
    return {
      traceId: parent?.traceId ?? randomHex(16),
      spanId: randomHex(8),
      parent,
      link: fromMeta === undefined ? undefined : fromHttp,
      sampled: parent === undefined ? this.#spans !== undefined : isSampled(parent),
      clientSpanId: undefined,
    };
  }

  /** Begins the CLIENT span and gives the `traceparent` for the server. */
  forward(spans: MessageSpans): string {
    const spanId = randomHex(8);
    spans.clientSpanId = spanId;
    return `00-${spans.traceId}-${spanId}-${spans.sampled ? '01' : '00'}`;
  }

  /** Ends the spans and counts the message. */
  end(spans: MessageSpans, exchange: Exchange, ending: Ending, endedAtMs: number, upstreamMs: number): void {
    const errorType = errorTypeOf(exchange, ending);
    if (spans.sampled) this.#spans?.write(spans, exchange, ending, errorType, endedAtMs);
    this.#metrics.count(exchange, ending, errorType, endedAtMs - exchange.arrivedAtMs, upstreamMs);
  }
}

function errorTypeOf(exchange: Exchange, { outcome, rpcCode }: Ending): string | undefined {
  if (outcome === 'ok') return undefined;
  if (outcome === 'tool_error' || outcome === 'cancelled') return outcome;
  return rpcCode === null ? (exchange.refusal?.code ?? outcome) : String(rpcCode);
}
