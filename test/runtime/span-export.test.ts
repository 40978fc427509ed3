import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';
import { readSpans } from '../../examples/quick-start/trace-receiver.ts';
import { listen } from '../../runtime/listen.ts';
import { createLogger } from '../../runtime/logger.ts';
import { SpanExport } from '../../runtime/span-export.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

/** A span with nothing but what OTLP demands. */
function writeSpan({ writer }: SpanExport, name: string): void {
  const span = writer.open(0x12);
  writer.hex(0x0a, TRACE_ID);
  writer.hex(0x12, 'b7ad6b7169203331');
  writer.text(0x2a, name);
  writer.varint(0x30, 2);
  writer.nanoseconds(0x39, 1_700_000_000_000);
  writer.nanoseconds(0x41, 1_700_000_000_001.5);
  writer.attribute(0x4a, 'short', 'ä');
  writer.attribute(0x4a, 'long', 'ü'.repeat(3_000));
  writer.attribute(0x4a, 'number', 65_535);
  writer.attribute(0x4a, 'flag', true);
  writer.attribute(0x4a, 'list', ['a', 'b']);
  writer.close(span);
}

describe('span export', () => {
  let server: Server;
  let endpoint: string;
  let statuses: number[];
  let bodies: Buffer[];
  const logged: string[] = [];
  const logger = createLogger('test', 'warn', { write: (line) => void logged.push(line) });
  const open = () =>
    new SpanExport({ endpoint, headers: { 'x-api-key': 'k' }, service: 'a-service', version: '1.2.3', scope: 'a.scope', logger });

  before(async () => {
    server = createServer(async (request, response) => {
      assert.equal(request.url, '/v1/traces');
      assert.equal(request.headers['x-api-key'], 'k');
      assert.equal(request.headers['content-type'], 'application/x-protobuf');
      const body = await buffer(request);
      const status = statuses.shift() ?? 200;
      if (status === 200) bodies.push(body);
      response.writeHead(status).end();
    });
    const { port } = await listen(server, { host: '127.0.0.1', port: 0 }, 'the collector');
    endpoint = `http://127.0.0.1:${port}/`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    statuses = [];
    bodies = [];
    logged.length = 0;
  });

  it('sends what was written as one OTLP request', async () => {
    const spans = open();
    for (const name of ['first', 'second']) {
      writeSpan(spans, name);
      spans.written();
    }
    await spans.shutdown();
    const [first, second] = bodies.flatMap(readSpans);
    // A double holds the time of day to a quarter of a microsecond.
    assert.ok(Math.abs((first?.durationMs ?? 0) - 1.5) < 0.001);
    assert.deepEqual(first, {
      service: 'a-service',
      traceId: TRACE_ID,
      spanId: 'b7ad6b7169203331',
      parentSpanId: '',
      name: 'first',
      kind: 'server',
      durationMs: first?.durationMs,
      attributes: { short: 'ä', long: 'ü'.repeat(3_000), number: 65_535, flag: true },
    });
    assert.equal(second?.name, 'second');
    assert.equal(bodies.length, 1);
  });

  it('tries again when the collector is overloaded, and loses nothing', async () => {
    statuses = [503];
    const spans = open();
    writeSpan(spans, 'patient');
    spans.written();
    await spans.shutdown();
    assert.deepEqual(
      bodies.flatMap(readSpans).map(({ name }) => name),
      ['patient'],
    );
    assert.deepEqual(logged, []);
  });

  it('gives up what the collector refuses, says so once, and goes on', async () => {
    statuses = [400, 400];
    const spans = open();
    for (const name of ['bad', 'worse', 'good']) {
      // Large enough to leave at once, each in a batch of its own.
      for (let bytes = 0; bytes < 300_000; bytes += 6_000) writeSpan(spans, name);
      spans.written();
    }
    await spans.shutdown();
    assert.deepEqual([...new Set(bodies.flatMap(readSpans).map(({ name }) => name))], ['good']);
    assert.equal(logged.filter((line) => line.includes('spans are dropped')).length, 1);
  });

  it('stops in time when the collector hangs', async () => {
    const hanging = createServer(() => {});
    const { port } = await listen(hanging, { host: '127.0.0.1', port: 0 }, 'the collector');
    const spans = new SpanExport({ endpoint: `http://127.0.0.1:${port}`, headers: {}, service: 's', version: '0', scope: 's', logger });
    writeSpan(spans, 'lost');
    spans.written();
    await spans.shutdown();
    hanging.close();
    hanging.closeAllConnections();
  });
});
