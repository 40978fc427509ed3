import { findMember, type MarkedText, type MemberPlace, ROOT } from './json-members.ts';
import type { MessageFault, MessageFaultKind } from './json-rpc-fault.ts';
import { type Span, utf8Text } from './json-structure.ts';
import { ENVELOPE_KEYS, META_KEYS, NESTED_PARAMS_KEYS, PARAMS_KEYS } from './protocol-keys.ts';
import { fail, ok, type Result } from './result.ts';
import { parseStrictDocument } from './strict-json.ts';

export type JsonRpcId = string | number;
export type JsonObject = Record<string, unknown>;

interface JsonRpcCall {
  readonly method: string;
  readonly params: JsonObject | undefined;
  readonly paramsSpan: Span | undefined;
  /** `params._meta`. */
  readonly meta: JsonObject | undefined;
  readonly metaSpan: Span | undefined;
  /** The value of `params._meta.traceparent`, quotes included. */
  readonly traceparentSpan: Span | undefined;
  /** Some number in the message is read differently by parsers; policy must not judge by it. */
  readonly unsafeNumbers: boolean;
}

interface Identified {
  /** Rounded when it is an integer beyond plus or minus 2^53 - 1: compare and copy the bytes at `idSpan` instead. */
  readonly id: JsonRpcId;
  /** The id as sent, quotes included. */
  readonly idSpan: Span;
}

export interface JsonRpcRequest extends JsonRpcCall, Identified {
  readonly kind: 'request';
}

export interface JsonRpcNotification extends JsonRpcCall {
  readonly kind: 'notification';
}

export interface JsonRpcResponse extends Identified {
  readonly kind: 'response';
  readonly outcome: 'result' | 'error';
  /** The `result` or `error` object. */
  readonly body: JsonObject;
  readonly unsafeNumbers: boolean;
}

/** One JSON-RPC 2.0 message. Spans are places in the bytes it was read from. */
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** Containers whose members are looked up by place: the envelope, `params`, `params._meta`. */
const MARK_DEPTH = 3;
const NOTIFICATION_PREFIX = 'notifications/';
/** Keeps the names of `HTTP_METHODS` in operation.ts out of an agent's reach. */
const RESERVED_PREFIX = 'http/';
const METHOD = /^[\x21-\x7e]{1,256}$/;

/**
 * Reads one message as every server will read it, or says why that cannot be promised.
 * An array is refused whole, as all revisions but 2025-03-26 demand.
 */
export function parseJsonRpc(bytes: Uint8Array): Result<JsonRpcMessage, MessageFault> {
  const document = parseStrictDocument(bytes, MARK_DEPTH);
  if (!document.ok) return refuse('parse_error', `${document.failure.detail} (byte ${document.failure.offset})`);
  const { value, unsafeNumbers, structure } = document.value;
  if (Array.isArray(value)) return refuse('batch', 'batches are not supported');
  if (!isObject(value)) return refuse('not_an_object', 'a message must be an object');
  return readMessage({ bytes, marks: structure.marks }, value, unsafeNumbers);
}

/** The id to answer with: as it was sent, digit by digit, or `null` where none could be read (JSON-RPC 2.0 section 5). */
export function idJson(bytes: Uint8Array, idSpan: Span | undefined): string {
  return idSpan === undefined ? 'null' : utf8Text(bytes.subarray(idSpan.start, idSpan.end));
}

function readMessage(text: MarkedText, envelope: JsonObject, unsafeNumbers: boolean): Result<JsonRpcMessage, MessageFault> {
  const id = readId(text, envelope);
  const idSpan = id?.idSpan;
  if (ENVELOPE_KEYS.variantIn(envelope) !== undefined)
    return refuse('case_variant_key', 'a member differs only by case from one of JSON-RPC');
  for (const key in envelope)
    if (!ENVELOPE_KEYS.has(key)) return refuse('unknown_member', 'JSON-RPC does not define a member of this message', idSpan);
  if (envelope['jsonrpc'] !== '2.0') return refuse('invalid_version', 'jsonrpc must be "2.0"', idSpan);
  if (!('method' in envelope)) return readResponse(envelope, id, unsafeNumbers);
  return readCall(text, envelope, id, unsafeNumbers);
}

function readCall(
  text: MarkedText,
  envelope: JsonObject,
  id: Identified | undefined,
  unsafeNumbers: boolean,
): Result<JsonRpcMessage, MessageFault> {
  const { method } = envelope;
  const idSpan = id?.idSpan;
  if ('result' in envelope || 'error' in envelope)
    return refuse('unknown_member', 'a message with a method has no result or error', idSpan);
  if (typeof method !== 'string' || !METHOD.test(method) || method.startsWith(RESERVED_PREFIX)) {
    return refuse('invalid_method', 'method must be a name', idSpan);
  }
  const isNotification = method.startsWith(NOTIFICATION_PREFIX);
  if (isNotification && 'id' in envelope) return refuse('unexpected_id', 'a notification has no id', idSpan);
  if (!isNotification && id === undefined) {
    return 'id' in envelope ? refuse('invalid_id', 'id must be a string or an integer') : refuse('missing_id', 'a request must have an id');
  }

  let params: JsonObject | undefined;
  let meta: JsonObject | undefined;
  let spans: CallSpans | undefined;
  if ('params' in envelope) {
    if (!isObject(envelope['params'])) return refuse('invalid_params', 'params must be an object', idSpan);
    params = envelope['params'];
    const { _meta } = params;
    if (_meta !== undefined && !isObject(_meta)) return refuse('invalid_meta', 'params._meta must be an object', idSpan);
    meta = _meta;
    if (hasCaseVariant(params, meta)) return refuse('case_variant_key', 'a parameter differs only by case from one of MCP', idSpan);
    spans = spansOf(text, meta !== undefined);
  }
  const paramsSpan = spans?.params;
  const metaSpan = spans?.meta;
  const traceparentSpan = spans?.traceparent;
  // Written out twice: spreading a shared object takes a third of a microsecond, on every request.
  if (id === undefined) return ok({ kind: 'notification', method, params, paramsSpan, meta, metaSpan, traceparentSpan, unsafeNumbers });
  const { id: value } = id;
  return ok({ kind: 'request', id: value, idSpan: id.idSpan, method, params, paramsSpan, meta, metaSpan, traceparentSpan, unsafeNumbers });
}

function readResponse(envelope: JsonObject, id: Identified | undefined, unsafeNumbers: boolean): Result<JsonRpcMessage, MessageFault> {
  const { result, error } = envelope;
  if ('params' in envelope) return refuse('unknown_member', 'a response has no params');
  if ('result' in envelope === 'error' in envelope) return refuse('invalid_response', 'a message has a method, a result or an error');
  if (id === undefined) return refuse('invalid_id', 'a response must have the id of its request');
  if ('result' in envelope) {
    if (!isObject(result)) return refuse('invalid_response', 'result must be an object');
    return ok({ kind: 'response', ...id, outcome: 'result', body: result, unsafeNumbers });
  }
  if (!isObject(error) || !Number.isInteger(error['code']) || typeof error['message'] !== 'string') {
    return refuse('invalid_response', 'error must have a code and a message');
  }
  return ok({ kind: 'response', ...id, outcome: 'error', body: error, unsafeNumbers });
}

/** The id, when it is a string or is written as an integer: `1.0` is one number to some parsers and another to others. */
function readId(text: MarkedText, envelope: JsonObject): Identified | undefined {
  const { id } = envelope;
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  const place = findMember(text, ROOT, 'id') as MemberPlace;
  if (typeof id === 'number' && !isIntegerLiteral(text.bytes, place.value)) return undefined;
  return { id, idSpan: place.value };
}

function isIntegerLiteral(bytes: Uint8Array, { start, end }: Span): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte !== 0x2d && !(byte >= 0x30 && byte <= 0x39)) return false;
  }
  return true;
}

function hasCaseVariant(params: JsonObject, meta: JsonObject | undefined): boolean {
  if (PARAMS_KEYS.variantIn(params) !== undefined) return true;
  if (meta !== undefined && META_KEYS.variantIn(meta) !== undefined) return true;
  for (const key in NESTED_PARAMS_KEYS) {
    const nested = params[key];
    if (isObject(nested) && NESTED_PARAMS_KEYS[key]?.variantIn(nested) !== undefined) return true;
  }
  return false;
}

interface CallSpans {
  readonly params: Span;
  readonly meta: Span | undefined;
  readonly traceparent: Span | undefined;
}

function spansOf(text: MarkedText, hasMeta: boolean): CallSpans {
  const params = findMember(text, ROOT, 'params') as MemberPlace;
  const meta = hasMeta ? findMember(text, params.open, '_meta') : undefined;
  const traceparent = meta && findMember(text, meta.open, 'traceparent');
  return { params: params.value, meta: meta?.value, traceparent: traceparent?.value };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(kind: MessageFaultKind, detail: string, idSpan?: Span): Result<never, MessageFault> {
  return fail({ kind, detail, idSpan });
}
