import type { Attributes, SpanContext } from '@opentelemetry/api';
import { ATTRIBUTES } from '../../extauthz/api/attributes.ts';
import { type AttributeValue, OtlpWriter } from '../../runtime/otlp-writer.ts';
import type { SpanExport } from '../../runtime/span-export.ts';
import type { Ending, Exchange } from '../exchange.ts';
import { KindCache } from './kind-cache.ts';

/** The spans of one message: SERVER towards the agent and, once it is forwarded, CLIENT below it. */
export interface MessageSpans {
  readonly traceId: string;
  /** Of the SERVER span. */
  readonly spanId: string;
  readonly parent: SpanContext | undefined;
  /** Another span that the message names. */
  readonly link: SpanContext | undefined;
  readonly sampled: boolean;
  clientSpanId: string | undefined;
}

/** The agent chooses names and ids; a span must stay small enough to be delivered. */
const MAX_TEXT_LENGTH = 1_024;

/** Fields of `Span` in trace.proto: number times 8, plus the wire type. */
const FIELD = {
  traceId: 0x0a,
  spanId: 0x12,
  parentSpanId: 0x22,
  name: 0x2a,
  kind: 0x30,
  start: 0x39,
  end: 0x41,
  attribute: 0x4a,
  link: 0x6a,
  status: 0x7a,
  flags: [0x85, 0x01],
} as const;
/** Values of `Span.SpanKind` and `Status.StatusCode`. */
const SERVER_KIND = 2;
const CLIENT_KIND = 3;
const STATUS_ERROR = 2;
/** `ScopeSpans.spans`. */
const SPAN = 0x12;
/** `SpanFlags`: the parent's place is known, and it is another process. */
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;
const SAMPLED = 0x01;

/** What the spans of all messages of one kind say alike, as written fields. */
interface KindFields {
  readonly server: Buffer;
  readonly client: Buffer;
}

/** Writes finished messages as spans, each when the message has ended. */
export class SpanWriter {
  readonly #out: SpanExport;
  readonly #scratch = new OtlpWriter(2_048);
  readonly #kinds = new KindCache((exchange) => this.#kindFields(exchange));

  constructor(out: SpanExport) {
    this.#out = out;
  }

  write(spans: MessageSpans, exchange: Exchange, ending: Ending, errorType: string | undefined, endedAtMs: number): void {
    const { writer } = this.#out;
    const { arrivedAtMs, arrivedAtUnixMs, forwardedAtMs, answeredAtMs, refusal } = exchange;
    const kind = this.#kinds.get(exchange);
    const { parent, link, clientSpanId } = spans;

    const server = writer.open(SPAN);
    writer.hex(FIELD.traceId, spans.traceId);
    writer.hex(FIELD.spanId, spans.spanId);
    if (parent !== undefined) writer.hex(FIELD.parentSpanId, parent.spanId);
    writer.nanoseconds(FIELD.start, arrivedAtUnixMs);
    writer.nanoseconds(FIELD.end, arrivedAtUnixMs + (endedAtMs - arrivedAtMs));
    writer.raw(kind.server);
    writeEnding(writer, exchange, ending, errorType);
    writer.attribute(FIELD.attribute, ATTRIBUTES.outcome, ending.outcome);
    writer.attribute(FIELD.attribute, ATTRIBUTES.cached, exchange.cached);
    if (refusal !== undefined) writer.attribute(FIELD.attribute, ATTRIBUTES.code, refusal.code);
    if (link !== undefined) {
      const linked = writer.open(FIELD.link);
      writer.hex(FIELD.traceId, link.traceId);
      writer.hex(FIELD.spanId, link.spanId);
      writer.close(linked);
    }
    if (errorType !== undefined) writeError(writer, refusal?.reason);
    writer.fixed32(FIELD.flags, SAMPLED | HAS_IS_REMOTE | (parent === undefined ? 0 : IS_REMOTE));
    writer.close(server);
    this.#out.written();

    if (clientSpanId === undefined || forwardedAtMs === undefined) return;
    const client = writer.open(SPAN);
    writer.hex(FIELD.traceId, spans.traceId);
    writer.hex(FIELD.spanId, clientSpanId);
    writer.hex(FIELD.parentSpanId, spans.spanId);
    writer.nanoseconds(FIELD.start, arrivedAtUnixMs + (forwardedAtMs - arrivedAtMs));
    writer.nanoseconds(FIELD.end, arrivedAtUnixMs + ((answeredAtMs ?? endedAtMs) - arrivedAtMs));
    writer.raw(kind.client);
    writeEnding(writer, exchange, ending, errorType);
    if (errorType !== undefined) writeError(writer, undefined);
    writer.fixed32(FIELD.flags, SAMPLED | HAS_IS_REMOTE);
    writer.close(client);
    this.#out.written();
  }

  #kindFields(exchange: Exchange): KindFields {
    const message = messageAttributes(exchange);
    return {
      server: this.#fields(SERVER_KIND, exchange, { ...message, ...decisionAttributes(exchange) }),
      client: this.#fields(CLIENT_KIND, exchange, { ...message, ...addressAttributes(exchange) }),
    };
  }

  #fields(kind: number, exchange: Exchange, attributes: Attributes): Buffer {
    const writer = this.#scratch;
    writer.text(FIELD.name, cut(spanName(exchange)));
    writer.varint(FIELD.kind, kind);
    for (const [key, value] of Object.entries(attributes)) writer.attribute(FIELD.attribute, key, value as AttributeValue);
    return writer.take();
  }
}

function writeEnding(writer: OtlpWriter, { idJson }: Exchange, { rpcCode }: Ending, errorType: string | undefined): void {
  if (idJson !== undefined)
    writer.attribute(FIELD.attribute, ATTRIBUTES.requestId, cut(idJson.startsWith('"') ? idJson.slice(1, -1) : idJson));
  if (rpcCode !== null) writer.attribute(FIELD.attribute, ATTRIBUTES.rpcStatusCode, String(rpcCode));
  if (errorType !== undefined) writer.attribute(FIELD.attribute, ATTRIBUTES.errorType, errorType);
}

function writeError(writer: OtlpWriter, message: string | undefined): void {
  const status = writer.open(FIELD.status);
  if (message !== undefined) writer.text(0x12, cut(message));
  writer.varint(0x18, STATUS_ERROR);
  writer.close(status);
}

/** `{mcp.method.name} {target}`, where the target is a tool or prompt name. */
function spanName({ method, target }: Exchange): string {
  return (method === 'tools/call' || method === 'prompts/get') && target !== '' ? `${method} ${target}` : method || 'unreadable message';
}

function messageAttributes({ method, target, protocolVersion, request }: Exchange): Attributes {
  const attributes: Attributes = {
    [ATTRIBUTES.method]: cut(method),
    [ATTRIBUTES.networkTransport]: 'tcp',
    [ATTRIBUTES.networkProtocolName]: 'http',
    [ATTRIBUTES.networkProtocolVersion]: request.httpVersion,
  };
  if (method === 'tools/call') {
    attributes[ATTRIBUTES.toolName] = cut(target);
    attributes[ATTRIBUTES.operationName] = 'execute_tool';
  } else if (method === 'prompts/get') attributes[ATTRIBUTES.promptName] = cut(target);
  else if (method.startsWith('resources/') && target !== '') attributes[ATTRIBUTES.resourceUri] = cut(target);
  if (protocolVersion !== '') attributes[ATTRIBUTES.protocolVersion] = cut(protocolVersion);
  return attributes;
}

function decisionAttributes({ decision, route }: Exchange): Attributes {
  const attributes: Attributes = { [ATTRIBUTES.server]: route?.name ?? '' };
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

/** A stdio server has no address. */
function addressAttributes({ route }: Exchange): Attributes {
  if (route === undefined || route.stdio !== undefined) return {};
  const { hostname, port, protocol } = route.url;
  return { [ATTRIBUTES.serverAddress]: hostname, [ATTRIBUTES.serverPort]: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

function cut(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;
}
