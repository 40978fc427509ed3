import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { context, SpanKind, trace } from '@opentelemetry/api';
import { choosePorts } from '../../examples/quick-start/ports.ts';
import { startTraceReceiver, type TraceReceiver } from '../../examples/quick-start/trace-receiver.ts';
import { startTelemetry } from '../../runtime/telemetry.ts';

describe('the trace receiver', () => {
  let receiver: TraceReceiver;
  let port: number;
  before(async () => {
    ({ traces: port } = await choosePorts('auto'));
    receiver = await startTraceReceiver({ host: '127.0.0.1', port });
  });
  after(() => receiver.close());

  it('reads what the OpenTelemetry exporter sends', async () => {
    const telemetry = startTelemetry({ service: 'a-service', version: '0', otlpEndpoint: `http://127.0.0.1:${port}` });
    const tracer = trace.getTracer('test');
    const server = tracer.startSpan('tools/call whoami', {
      kind: SpanKind.SERVER,
      attributes: { text: 'yes', count: 7, half: 0.5, flag: true },
    });
    const client = tracer.startSpan('below', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), server));
    client.end();
    server.end(Date.now() + 1_000);
    await telemetry.shutdown();

    const { traceId, spanId } = server.spanContext();
    const spans = await receiver.spansOf(traceId, 2, 5_000);
    assert.equal(spans.length, 2);
    const received = spans.find((span) => span.kind === 'server');
    assert.ok(received !== undefined);
    assert.deepEqual(
      { ...received, durationMs: 0 },
      {
        service: 'a-service',
        traceId,
        spanId,
        parentSpanId: '',
        name: 'tools/call whoami',
        kind: 'server',
        durationMs: 0,
        attributes: { text: 'yes', count: 7, half: 0.5, flag: true },
      },
    );
    assert.ok(received.durationMs > 900 && received.durationMs < 2_000, String(received.durationMs));
    assert.equal(spans.find((span) => span.kind === 'client')?.parentSpanId, spanId);
  });

  it('gives what there is when the wait is over', async () => {
    assert.deepEqual(await receiver.spansOf('00000000000000000000000000000000', 1, 60), []);
  });

  it('answers 400 to what is no export request, and stays up', async () => {
    const url = `http://127.0.0.1:${port}/v1/traces`;
    assert.equal((await fetch(url, { method: 'POST', body: 'not protobuf \xff' })).status, 400);
    assert.equal((await fetch(url, { method: 'POST', body: '' })).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${port}/elsewhere`)).status, 404);
  });
});
