import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metrics } from '../../runtime/metrics.ts';

const SCOPE = 'otel_scope_name="a.scope",otel_scope_version="1"';

describe('metrics', () => {
  it('are written in the Prometheus text format, as the OpenTelemetry exporter writes them', () => {
    const metrics = new Metrics({ service: 'a-service', version: '1', scope: 'a.scope' });
    metrics.counter('unused', 'Nothing.');
    const histogram = metrics.histogram('an.operation.duration', 'Time from\n"here" to \\ there.', [0.00001, 0.5]);
    const series = histogram.series({ 'a.name': 'q"b\\n\nl' });
    for (const value of [0.00001, 0.25, 0.5, 0.75]) series.observe(value);
    const counter = metrics.counter('some.messages', 'Messages.');
    counter.series({ flag: true, code: '' }).add(1);
    counter.series({ flag: true, code: '' }).add(2);
    counter.series({}).add(1);
    metrics.gauge('a.backlog', 'Waiting.', () => 7);

    const labels = `a_name="q\\"b\\\\n\\nl",${SCOPE}`;
    assert.equal(
      metrics.text(),
      `# HELP target_info Target metadata
# TYPE target_info gauge
target_info{service_name="a-service",service_version="1"} 1
# HELP an_operation_duration_seconds Time from\\n"here" to \\\\ there.
# UNIT an_operation_duration_seconds s
# TYPE an_operation_duration_seconds histogram
an_operation_duration_seconds_count{${labels}} 4
an_operation_duration_seconds_sum{${labels}} 1.50001
an_operation_duration_seconds_bucket{${labels},le="0.00001"} 1
an_operation_duration_seconds_bucket{${labels},le="0.5"} 3
an_operation_duration_seconds_bucket{${labels},le="+Inf"} 4
# HELP some_messages_total Messages.
# TYPE some_messages_total counter
some_messages_total{flag="true",code="",${SCOPE}} 3
some_messages_total{${SCOPE}} 1
# HELP a_backlog Waiting.
# TYPE a_backlog gauge
a_backlog{${SCOPE}} 7
`,
    );
  });

  it('count everything beyond a limit in one series, whatever labels a caller invents', () => {
    const metrics = new Metrics({ service: 's', version: '0', scope: 's' });
    const counter = metrics.counter('calls', 'Calls.');
    for (let index = 0; index < 2_500; index += 1) counter.series({ tool: `t${index}` }).add(1);
    const lines = metrics
      .text()
      .split('\n')
      .filter((line) => line.startsWith('calls_total{'));
    assert.equal(lines.length, 2_001);
    assert.ok(lines.some((line) => line.startsWith('calls_total{otel_metric_overflow="true"') && line.endsWith(' 500')));
  });
});
