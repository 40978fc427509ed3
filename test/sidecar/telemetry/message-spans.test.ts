import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { type ReceivedSpan, readSpans } from '../../../examples/quick-start/trace-receiver.ts';
import { listen } from '../../../runtime/listen.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { Metrics } from '../../../runtime/metrics.ts';
import { SpanExport } from '../../../runtime/span-export.ts';
import { MessageTelemetry } from '../../../sidecar/telemetry/telemetry.ts';
import { decision, finishedCall, OK } from '../support/finished.ts';

const NAMED = { service: 'sidegate-sidecar', version: '0', scope: 'sidegate.sidecar' };
const META = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const FIELD = '00-11111111111111111111111111111111-2222222222222222-01';

/** The spans that arrive at a collector after `work`. */
async function exported(work: (telemetry: MessageTelemetry) => void): Promise<readonly ReceivedSpan[]> {
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    spans.push(...readSpans(await buffer(request)));
    response.end();
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 }, 'the collector');
  const out = new SpanExport({ ...NAMED, endpoint: `http://127.0.0.1:${port}`, headers: {}, logger: createLogger('test', 'silent') });
  work(new MessageTelemetry(out, new Metrics(NAMED)));
  await out.shutdown();
  server.close();
  server.closeAllConnections();
  return spans;
}

describe('spans of a message', () => {
  it('are a SERVER span and a CLIENT span below it, with the attributes of the OpenTelemetry MCP conventions and ours', async () => {
    let sent = '';
    const [server, client, ...more] = await exported((telemetry) => {
      const spans = telemetry.start(META, FIELD);
      sent = telemetry.forward(spans);
      telemetry.end(spans, finishedCall(), OK, 1_010, 8);
    });
    const message = {
      'mcp.method.name': 'tools/call',
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'gen_ai.tool.name': 'list_issues',
      'gen_ai.operation.name': 'execute_tool',
      'mcp.protocol.version': '2025-11-25',
      'jsonrpc.request.id': 'a',
    };
    assert.deepEqual(more, []);
    assert.equal(server?.kind, 'server');
    assert.equal(server.name, 'tools/call list_issues');
    assert.equal(server.traceId, '0af7651916cd43dd8448eb211c80319c');
    assert.equal(server.parentSpanId, 'b7ad6b7169203331');
    assert.equal(Math.round(server.durationMs), 10);
    assert.deepEqual(server.attributes, {
      ...message,
      'sidegate.server.name': 'tickets',
      'sidegate.decision.id': 'd1',
      'sidegate.decision.effect': 'allow',
      'sidegate.policy.revision': 'r1',
      'sidegate.user.id': 'alice',
      'sidegate.agent.id': 'ns/sa',
      'sidegate.outcome': 'ok',
      'sidegate.decision.cached': true,
    });
    assert.equal(client?.kind, 'client');
    assert.equal(client.parentSpanId, server.spanId);
    assert.equal(sent, `00-${server.traceId}-${client.spanId}-01`);
    assert.equal(Math.round(client.durationMs), 8);
    assert.deepEqual(client.attributes, { ...message, 'server.address': 'tickets.example', 'server.port': 8080 });
  });

  it('under one decision differ where the messages do', async () => {
    const shared = decision();
    const spans = await exported((telemetry) => {
      for (const changes of [{ target: 'a' }, { target: 'b', idJson: '2' }, { target: 'a', protocolVersion: '2026-07-28' }]) {
        telemetry.end(telemetry.start(undefined, undefined), finishedCall({ decision: shared, ...changes }), OK, 1_010, 8);
      }
    });
    assert.deepEqual(
      spans.map(({ name, attributes }) => [name, attributes['jsonrpc.request.id'], attributes['mcp.protocol.version']]),
      [
        ['tools/call a', 'a', '2025-11-25'],
        ['tools/call b', '2', '2025-11-25'],
        ['tools/call a', 'a', '2026-07-28'],
      ],
    );
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 3);
  });

  it('name the error, and stay small whatever the agent sends', async () => {
    const refusal = { code: 'forbidden', reason: 'no', httpStatus: 200, rpcCode: 4030 } as const;
    const [span] = await exported((telemetry) => {
      const changes = { target: 'x'.repeat(1_000_000), idJson: `"${'i'.repeat(1_000_000)}"`, refusal, forwardedAtMs: undefined };
      const ending = { outcome: 'denied', httpStatus: 200, rpcCode: 4030, responseBytes: 1 } as const;
      telemetry.end(telemetry.start(undefined, undefined), finishedCall(changes), ending, 1_010, 0);
    });
    assert.equal(span?.attributes['error.type'], '4030');
    assert.equal(span.attributes['rpc.response.status_code'], '4030');
    assert.equal(span.attributes['sidegate.decision.code'], 'forbidden');
    assert.ok(JSON.stringify(span).length < 8_000);
  });

  it('are sampled as their parent is', async () => {
    let sent = '';
    const spans = await exported((telemetry) => {
      const unsampled = telemetry.start(META.replace(/01$/, '00'), undefined);
      sent = telemetry.forward(unsampled);
      telemetry.end(unsampled, finishedCall(), OK, 1_010, 8);
    });
    assert.deepEqual(spans, []);
    assert.match(sent, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
  });

  it('have ids without an endpoint, too, and are not sampled unless the parent is', () => {
    const telemetry = new MessageTelemetry(undefined, new Metrics(NAMED));
    assert.match(telemetry.forward(telemetry.start(undefined, undefined)), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.match(telemetry.forward(telemetry.start(undefined, META)), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  });

  const BROKEN = ['', META.toUpperCase(), META.replace('00-', '01-'), META.replace(/[0-9a-f]{32}/, '0'.repeat(32)), `${META}-x`];
  for (const text of BROKEN) {
    it(`take no parent from ${JSON.stringify(text)}`, () => {
      const { parent, traceId } = new MessageTelemetry(undefined, new Metrics(NAMED)).start(text, undefined);
      assert.equal(parent, undefined);
      assert.match(traceId, /^[0-9a-f]{32}$/);
    });
  }
});
