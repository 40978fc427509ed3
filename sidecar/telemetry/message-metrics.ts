import { ATTRIBUTES, METRICS } from '../../extauthz/api/attributes.ts';
import { LIST_METHODS, TASK_METHODS } from '../../extauthz/api/operation.ts';
import type { CounterSeries, HistogramSeries, Labels, Metric, Metrics } from '../../runtime/metrics.ts';
import type { Ending, Exchange } from '../exchange.ts';
import { isKnownVersion } from '../mcp/protocol-version.ts';
import { KindCache } from './kind-cache.ts';

/** Histogram boundaries of the OpenTelemetry MCP conventions, in seconds. */
const MCP_DURATION_BUCKETS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Our own work takes microseconds, so it has boundaries of its own, in seconds. */
const OVERHEAD_BUCKETS_S = [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5];

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

/** Where one kind of message is counted. */
interface MessageSeries {
  readonly server: HistogramSeries;
  /** Undefined for one that was not forwarded. */
  readonly client: HistogramSeries | undefined;
  readonly messages: CounterSeries;
}

/** Counts finished messages, under the names of the OpenTelemetry MCP conventions. */
export class MessageMetrics {
  readonly #serverDuration: Metric<HistogramSeries>;
  readonly #clientDuration: Metric<HistogramSeries>;
  readonly #overhead: HistogramSeries;
  readonly #messages: Metric<CounterSeries>;
  readonly #wouldDeny: Metric<CounterSeries>;
  /** The series of messages that went well. */
  readonly #ok = new KindCache((exchange) => this.#find(exchange, 'ok', undefined));

  constructor(metrics: Metrics) {
    this.#serverDuration = metrics.histogram(
      METRICS.serverDuration,
      'Time from receiving a message to the last byte of its answer.',
      MCP_DURATION_BUCKETS_S,
    );
    this.#clientDuration = metrics.histogram(METRICS.clientDuration, 'Time that the upstream server took.', MCP_DURATION_BUCKETS_S);
    const overhead = 'Part of a message’s time that was Sidegate’s own.';
    this.#overhead = metrics.histogram(METRICS.overheadDuration, overhead, OVERHEAD_BUCKETS_S).series({});
    this.#messages = metrics.counter(METRICS.messages, 'Messages, by outcome and reason.');
    this.#wouldDeny = metrics.counter(METRICS.wouldDeny, 'Allowed messages that a shadow policy would have denied, by policy.');
  }

  count(exchange: Exchange, ending: Ending, errorType: string | undefined, durationMs: number, upstreamMs: number): void {
    const isPlain = ending.outcome === 'ok' && exchange.forwardedAtMs !== undefined;
    const { server, client, messages } = isPlain ? this.#ok.get(exchange) : this.#find(exchange, ending.outcome, errorType);
    server.observe(durationMs / 1_000);
    client?.observe(upstreamMs / 1_000);
    this.#overhead.observe((durationMs - upstreamMs) / 1_000);
    messages.add(1);
    const { decision } = exchange;
    if (decision === undefined || decision.wouldDeny.length === 0) return;
    for (const policy of decision.wouldDeny) this.#wouldDeny.series({ [ATTRIBUTES.policies]: policy }).add(1);
  }

  #find(exchange: Exchange, outcome: Ending['outcome'], errorType: string | undefined): MessageSeries {
    const labels = metricLabels(exchange, errorType);
    return {
      server: this.#serverDuration.series(labels),
      client: exchange.forwardedAtMs === undefined ? undefined : this.#clientDuration.series(labels),
      messages: this.#messages.series({
        [ATTRIBUTES.outcome]: outcome,
        [ATTRIBUTES.code]: exchange.refusal?.code ?? '',
        [ATTRIBUTES.server]: exchange.route?.name ?? '',
        [ATTRIBUTES.cached]: exchange.cached,
      }),
    };
  }
}

/** Tool names come from the agent, so a metric names only those that policy allowed. The user is never a label. */
function metricLabels(exchange: Exchange, errorType: string | undefined): Labels {
  const { method, target, decision, protocolVersion } = exchange;
  const labels: Record<string, string> = {
    [ATTRIBUTES.method]: KNOWN_METHODS.has(method) ? method : '_other',
    [ATTRIBUTES.networkTransport]: 'tcp',
  };
  if (method === 'tools/call') labels[ATTRIBUTES.toolName] = decision?.effect === 'allow' ? target : '_other';
  if (errorType !== undefined) labels[ATTRIBUTES.errorType] = errorType;
  if (protocolVersion !== '') labels[ATTRIBUTES.protocolVersion] = isKnownVersion(protocolVersion) ? protocolVersion : '_other';
  return labels;
}
