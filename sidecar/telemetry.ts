import {
  type Attributes,
  type Counter,
  type Histogram,
  type Link,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ATTRIBUTES, METRICS } from '../extauthz/api/attributes.ts';
import { LIST_METHODS, TASK_METHODS } from '../extauthz/api/operation.ts';
import type { Ending, Exchange } from './exchange.ts';
import { isKnownVersion } from './mcp/protocol-version.ts';

/** Methods that MCP defines and clients send; any other is `_other` in metrics, where an agent must not be able to make labels. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  ...LIST_METHODS.keys(),
  ...TASK_METHODS,
  'initialize',
  'ping',
  'server/discover',
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
  'logging/setLevel',
  'subscriptions/listen',
  'notifications/initialized',
  'notifications/cancelled',
  'http/stream',
  'http/end-session',
  'http/client-response',
]);

/** The spans of one message: SERVER towards the agent and, once it is forwarded, CLIENT below it. */
export interface MessageSpans {
  readonly server: Span;
  client: Span | undefined;
}

/** Spans and metrics of the request path, under the names of the OpenTelemetry MCP conventions. */
export class MessageTelemetry {
  readonly #tracer: Tracer;
  readonly #serverDuration: Histogram;
  readonly #clientDuration: Histogram;
  readonly #overhead: Histogram;
  readonly #messages: Counter;
  readonly #wouldDeny: Counter;

  constructor(tracer: Tracer, meter: Meter) {
    this.#tracer = tracer;
    this.#serverDuration = meter.createHistogram(METRICS.serverDuration, {
      unit: 's',
      description: 'Time from receiving a message to the last byte of its answer.',
    });
    this.#clientDuration = meter.createHistogram(METRICS.clientDuration, { unit: 's', description: 'Time that the upstream server took.' });
    this.#overhead = meter.createHistogram(METRICS.overheadDuration, {
      unit: 's',
      description: 'Part of a message’s time that was Sidegate’s own.',
    });
    this.#messages = meter.createCounter(METRICS.messages, { description: 'Messages, by outcome and reason.' });
    this.#wouldDeny = meter.createCounter(METRICS.wouldDeny, {
      description: 'Allowed messages that a shadow policy would have denied, by policy.',
    });
  }

  /**
   * Starts the SERVER span.
   * @param metaTraceparent `params._meta.traceparent`, the parent when it is valid (SEP-414)
   * @param httpTraceparent the HTTP field: linked when there is also a parent in `_meta`, else the parent
   */
  start(exchange: Exchange, metaTraceparent: string | undefined, httpTraceparent: string | undefined): MessageSpans {
    const fromMeta = parseTraceparent(metaTraceparent);
    const fromHttp = parseTraceparent(httpTraceparent);
    const parent = fromMeta ?? fromHttp;
    const links: Link[] = fromMeta !== undefined && fromHttp !== undefined ? [{ context: fromHttp }] : [];
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    const name = spanName(exchange);
    const server = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, links, startTime: exchange.arrivedAtUnixMs }, context);
    return { server, client: undefined };
  }

  /** Starts the CLIENT span and gives the `traceparent` for the server. */
  forward(spans: MessageSpans, exchange: Exchange): string {
    const context = trace.setSpan(ROOT_CONTEXT, spans.server);
    spans.client = this.#tracer.startSpan(spanName(exchange), { kind: SpanKind.CLIENT }, context);
    const { traceId, spanId, traceFlags } = spans.client.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`;
  }

  /** Ends the spans and counts the message. */
  end(spans: MessageSpans, exchange: Exchange, ending: Ending, endedAtMs: number, upstreamMs: number): void {
    const errorType = errorTypeOf(exchange, ending);
    this.#endSpans(spans, exchange, ending, errorType);

    const labels = metricLabels(exchange, errorType);
    const durationMs = endedAtMs - exchange.arrivedAtMs;
    this.#serverDuration.record(durationMs / 1_000, labels);
    if (exchange.forwardedAtMs !== undefined) this.#clientDuration.record(upstreamMs / 1_000, labels);
    this.#overhead.record((durationMs - upstreamMs) / 1_000);
    this.#messages.add(1, {
      [ATTRIBUTES.outcome]: ending.outcome,
      [ATTRIBUTES.code]: exchange.refusal?.code ?? '',
      [ATTRIBUTES.server]: exchange.route?.name ?? '',
      [ATTRIBUTES.cached]: exchange.cached,
    });
    for (const policy of exchange.decision?.wouldDeny ?? []) this.#wouldDeny.add(1, { [ATTRIBUTES.policies]: policy });
  }

  #endSpans({ server, client }: MessageSpans, exchange: Exchange, ending: Ending, errorType: string | undefined): void {
    if (server.isRecording()) {
      server.setAttributes(messageAttributes(exchange, ending, errorType));
      server.setAttributes(decisionAttributes(exchange, ending));
      if (errorType !== undefined) server.setStatus({ code: SpanStatusCode.ERROR, message: exchange.refusal?.reason ?? '' });
    }
    if (client?.isRecording()) {
      const { hostname, port, protocol } = exchange.route?.url ?? new URL('http://unknown');
      client.setAttributes(messageAttributes(exchange, ending, errorType));
      if (exchange.route?.stdio === undefined) {
        client.setAttributes({
          [ATTRIBUTES.serverAddress]: hostname,
          [ATTRIBUTES.serverPort]: Number(port) || (protocol === 'https:' ? 443 : 80),
        });
      }
      if (errorType !== undefined) client.setStatus({ code: SpanStatusCode.ERROR });
    }
    client?.end();
    server.end();
  }
}

/** `{mcp.method.name} {target}`, where the target is a tool or prompt name. */
function spanName({ method, target }: Exchange): string {
  return (method === 'tools/call' || method === 'prompts/get') && target !== '' ? `${method} ${target}` : method || 'unreadable message';
}

function errorTypeOf(exchange: Exchange, { outcome, rpcCode }: Ending): string | undefined {
  if (outcome === 'ok') return undefined;
  if (outcome === 'tool_error' || outcome === 'cancelled') return outcome;
  return rpcCode === null ? (exchange.refusal?.code ?? outcome) : String(rpcCode);
}

function messageAttributes(exchange: Exchange, ending: Ending, errorType: string | undefined): Attributes {
  const { method, target, protocolVersion, idJson } = exchange;
  const attributes: Attributes = {
    [ATTRIBUTES.method]: method,
    [ATTRIBUTES.networkTransport]: 'tcp',
    [ATTRIBUTES.networkProtocolName]: 'http',
    [ATTRIBUTES.networkProtocolVersion]: exchange.request.httpVersion,
  };
  if (method === 'tools/call') {
    attributes[ATTRIBUTES.toolName] = target;
    attributes[ATTRIBUTES.operationName] = 'execute_tool';
  } else if (method === 'prompts/get') attributes[ATTRIBUTES.promptName] = target;
  else if (method.startsWith('resources/') && target !== '') attributes[ATTRIBUTES.resourceUri] = target;
  if (idJson !== undefined) attributes[ATTRIBUTES.requestId] = idJson.startsWith('"') ? idJson.slice(1, -1) : idJson;
  if (protocolVersion !== '') attributes[ATTRIBUTES.protocolVersion] = protocolVersion;
  if (ending.rpcCode !== null) attributes[ATTRIBUTES.rpcStatusCode] = String(ending.rpcCode);
  if (errorType !== undefined) attributes[ATTRIBUTES.errorType] = errorType;
  return attributes;
}

function decisionAttributes({ decision, route, cached, refusal }: Exchange, { outcome }: Ending): Attributes {
  const attributes: Attributes = { [ATTRIBUTES.server]: route?.name ?? '', [ATTRIBUTES.outcome]: outcome, [ATTRIBUTES.cached]: cached };
  if (refusal !== undefined) attributes[ATTRIBUTES.code] = refusal.code;
  if (decision === undefined) return attributes;
  const { principal } = decision;
  return {
    ...attributes,
    [ATTRIBUTES.decisionId]: decision.id,
    [ATTRIBUTES.effect]: decision.effect,
    [ATTRIBUTES.revision]: decision.revision,
    [ATTRIBUTES.policies]: [...decision.policies],
    [ATTRIBUTES.wouldDeny]: [...decision.wouldDeny],
    [ATTRIBUTES.user]: principal?.user.id ?? '',
    [ATTRIBUTES.agent]: principal === undefined ? '' : `${principal.agent.namespace}/${principal.agent.serviceAccount}`,
  };
}

/** Tool names come from the agent, so a metric names only those that policy allowed. The user is never a label. */
function metricLabels(exchange: Exchange, errorType: string | undefined): Attributes {
  const { method, target, decision, protocolVersion } = exchange;
  const labels: Attributes = {
    [ATTRIBUTES.method]: KNOWN_METHODS.has(method) ? method : '_other',
    [ATTRIBUTES.networkTransport]: 'tcp',
  };
  if (method === 'tools/call') labels[ATTRIBUTES.toolName] = decision?.effect === 'allow' ? target : '_other';
  if (errorType !== undefined) labels[ATTRIBUTES.errorType] = errorType;
  if (protocolVersion !== '') labels[ATTRIBUTES.protocolVersion] = isKnownVersion(protocolVersion) ? protocolVersion : '_other';
  return labels;
}

/** Reads a W3C `traceparent` (Trace Context section 3.2.2); undefined when it is not valid. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const match = text === undefined ? null : /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags ?? '00', 16), isRemote: true };
}
