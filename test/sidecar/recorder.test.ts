import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics.ts';
import { AuditSpool } from '../../sidecar/audit/spool.ts';
import { Recorder } from '../../sidecar/recorder.ts';
import { MessageTelemetry } from '../../sidecar/telemetry/telemetry.ts';
import { finishedCall, OK } from './support/finished.ts';

const NAMED = { service: 's', version: '0', scope: 's' };

function start() {
  const stored: Uint8Array[] = [];
  const report = async (records: readonly Uint8Array[]) => void stored.push(...records);
  const spool = new AuditSpool({ report, dir: undefined, backlogLimit: 1_000, logger: createLogger('test', 'silent') });
  const metrics = new Metrics(NAMED);
  const telemetry = new MessageTelemetry(undefined, metrics);
  const recorder = new Recorder(telemetry, spool);
  const add = (target: string) =>
    recorder.add({ exchange: finishedCall({ target }), spans: telemetry.start(undefined, undefined), ending: OK, endedAtMs: 1_010 });
  const targets = () => stored.map((bytes) => (JSON.parse(Buffer.from(bytes).toString()) as { target: string }).target);
  return { add, recorder, spool, metrics, targets };
}

describe('recorder', () => {
  it('records each message once, in order, whether it comes alone or among many', async () => {
    const { add, recorder, spool, targets } = start();
    const wanted = Array.from({ length: 100 }, (_, index) => `t${index}`);
    for (const target of wanted) add(target);
    recorder.drain();
    recorder.drain();
    await spool.stop(5_000);
    assert.deepEqual(targets(), wanted);
  });

  it('needs nobody to drain it', { timeout: 30_000 }, async () => {
    const { add, spool, targets } = start();
    add('alone');
    while (spool.backlog === 0 && targets().length === 0) await new Promise(setImmediate);
    await spool.stop(5_000);
    assert.deepEqual(targets(), ['alone']);
  });

  it('counts what it records', () => {
    const { add, recorder, metrics } = start();
    for (let index = 0; index < 3; index += 1) add('t');
    recorder.drain();
    const text = metrics.text();
    assert.match(
      text,
      /^mcp_server_operation_duration_seconds_count\{mcp_method_name="tools\/call",network_transport="tcp",gen_ai_tool_name="t",mcp_protocol_version="2025-11-25",otel_scope_name="s",otel_scope_version="0"\} 3$/m,
    );
    assert.match(text, /^mcp_server_operation_duration_seconds_sum\{.*\} 0\.03$/m);
    assert.match(text, /^mcp_client_operation_duration_seconds_sum\{.*\} 0\.024$/m);
    assert.match(text, /^sidegate_overhead_duration_seconds_bucket\{.*le="0\.002"\} 3$/m);
    assert.match(
      text,
      /^sidegate_messages_total\{sidegate_outcome="ok",sidegate_decision_code="",sidegate_server_name="tickets",sidegate_decision_cached="true",.*\} 3$/m,
    );
  });
});
