import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { loadSync } from '@grpc/proto-loader';
import { listen } from '../../runtime/listen.ts';
import type { Address } from '../../runtime/setting-types.ts';

export interface ReceivedSpan {
  /** `service.name` of the process that sent it. */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer' | 'unspecified';
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

interface KeyValue {
  readonly key: string;
  readonly value?: { readonly value?: string } & Readonly<Record<string, unknown>>;
}
interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
}
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

const protos = loadSync(fileURLToPath(new URL('./otlp-trace.proto', import.meta.url)), {
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const traceService = protos['opentelemetry.proto.collector.trace.v1.TraceService'] as unknown as {
  readonly Export: { readonly requestDeserialize: (bytes: Buffer) => ExportRequest };
};

function attributesOf(pairs: readonly KeyValue[]): Record<string, string | number | boolean> {
  const attributes: Record<string, string | number | boolean> = {};
  for (const { key, value } of pairs) {
    const held = value?.value === undefined ? undefined : value[value.value];
    if (typeof held === 'string') attributes[key] = value?.value === 'intValue' ? Number(held) : held;
    else if (typeof held === 'number' || typeof held === 'boolean') attributes[key] = held;
  }
  return attributes;
}

/** Reads an OTLP export request in its protobuf encoding. */
export function readSpans(bytes: Buffer): readonly ReceivedSpan[] {
  return traceService.Export.requestDeserialize(bytes).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource?.attributes ?? [])['service.name'] ?? '');
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service,
        traceId: span.traceId.toString('hex'),
        spanId: span.spanId.toString('hex'),
        parentSpanId: span.parentSpanId.toString('hex'),
        name: span.name,
        kind: span.kind.replace('SPAN_KIND_', '').toLowerCase() as ReceivedSpan['kind'],
        durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        attributes: attributesOf(span.attributes),
      })),
    );
  });
}

/** Traces kept; the receiver stays up for as long as somebody plays with the quick start. */
const MAX_SPANS = 20_000;

export interface TraceReceiver {
  /** The spans of a trace, once there are at least `count`, or whatever has come when the time is over. */
  spansOf(traceId: string, count: number, timeoutMs: number): Promise<readonly ReceivedSpan[]>;
  close(): void;
}

/** A small OTLP/HTTP trace receiver, in the place of a collector. */
export async function startTraceReceiver(where: Address): Promise<TraceReceiver> {
  let spans: ReceivedSpan[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const sent = await buffer(request);
    spans = [...spans, ...readSpans(request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent)].slice(-MAX_SPANS);
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  };
  const server = createServer((request, response) => {
    if (request.url !== '/v1/traces') response.writeHead(404).end();
    else receive(request, response).catch(() => response.writeHead(400).end());
  });
  await listen(server, where, 'the trace receiver');
  return {
    async spansOf(traceId, count, timeoutMs) {
      const giveUpAt = Date.now() + timeoutMs;
      for (;;) {
        const found = spans.filter((span) => span.traceId === traceId);
        if (found.length >= count || Date.now() > giveUpAt) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
