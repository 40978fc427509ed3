import { setTimeout as sleep } from 'node:timers/promises';
import { metrics, trace } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, MeterProvider, type ScopeMetrics } from '@opentelemetry/sdk-metrics';
import { AlwaysOffSampler, AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';

export interface Telemetry {
  /** Every metric in the Prometheus text format. */
  metricsText(): Promise<string>;
  /** Sends what is left and stops. */
  shutdown(): Promise<void>;
}

export interface TelemetryOptions {
  /** `service.name`: `sidegate-extauthz`, `sidegate-injector`. The sidecar has its own, lighter parts. */
  readonly service: string;
  readonly version: string;
  /** OTLP/HTTP endpoint for traces, without `/v1/traces`. Left out: spans carry ids so that trace context still flows, but none is recorded. */
  readonly otlpEndpoint?: string | undefined;
}

const SHUTDOWN_MS = 1_000;
/** Our own work takes microseconds, so it has boundaries of its own, in seconds. */
const OVERHEAD_BUCKETS_S = [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5];

/** Installs the process's tracer and meter providers. Call once, before anything is measured. */
export function startTelemetry({ service, version, otlpEndpoint }: TelemetryOptions): Telemetry {
  const resource = resourceFromAttributes({ 'service.name': service, 'service.version': version });
  const exporting = otlpEndpoint !== undefined;
  const tracing = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: exporting ? new AlwaysOnSampler() : new AlwaysOffSampler() }),
    spanProcessors: exporting
      ? [
          new BatchSpanProcessor({
            exporter: new OTLPTraceExporter({ url: `${otlpEndpoint.replace(/\/$/, '')}/v1/traces` }),
            scheduledDelayMillis: 500,
          }),
        ]
      : [],
  });
  trace.setGlobalTracerProvider(tracing);

  const reader = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer();
  const histogram = (name: string, boundaries: number[]) => ({
    instrumentName: name,
    aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries } } as const,
  });
  const metering = new MeterProvider({
    resource,
    readers: [reader],
    views: [histogram('sidegate.*.duration', OVERHEAD_BUCKETS_S)],
  });
  metrics.setGlobalMeterProvider(metering);

  return {
    async metricsText() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize({ ...resourceMetrics, scopeMetrics: resourceMetrics.scopeMetrics.map(withUnits) });
    },
    async shutdown() {
      // A collector that is away must not hold up the stop.
      await Promise.race([Promise.allSettled([tracing.shutdown(), metering.shutdown()]), sleep(SHUTDOWN_MS, undefined, { ref: false })]);
    },
  };
}

/** Prometheus wants the unit in the name, which the serializer leaves to its caller. */
function withUnits(scope: ScopeMetrics): ScopeMetrics {
  const metrics = scope.metrics.map((metric) =>
    metric.descriptor.unit === 's'
      ? { ...metric, descriptor: { ...metric.descriptor, name: `${metric.descriptor.name}.seconds` } }
      : metric,
  );
  return { ...scope, metrics };
}
