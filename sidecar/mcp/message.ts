import { idJson, type JsonRpcMessage, type JsonRpcNotification, type JsonRpcRequest, parseJsonRpc } from '../../extauthz/api/json-rpc.ts';
import { INVALID_PARAMS, INVALID_REQUEST, type MessageFaultKind, rpcCodeOf } from '../../extauthz/api/json-rpc-fault.ts';
import type { Span } from '../../extauthz/api/json-structure.ts';
import { HTTP_METHODS, type Operation, operationOf } from '../../extauthz/api/operation.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { fieldValues, type RawFields } from './header-fields.ts';
import { isJsonMediaType } from './media-type.ts';
import { type Era, eraOf, isKnownVersion } from './protocol-version.ts';
import { splice } from './splice.ts';
import { checkStandardHeaders } from './standard-headers.ts';

/** A message from the agent that is well-formed, and what policy decides about it. */
export interface InboundMessage {
  readonly message: JsonRpcMessage;
  readonly era: Era;
  /** What the message names as its revision: its `_meta`, else the header, else what `initialize` asks for. Not checked to exist. */
  readonly protocolVersion: string | undefined;
  readonly operation: Operation;
}

/**
 * Why a POST was refused before policy saw it.
 *
 * - a `MessageFaultKind`: the body is not one JSON-RPC message
 * - `unsupported_media_type`: not JSON, not UTF-8, or compressed
 * - `header_mismatch`: a standard header is missing, doubled, or disagrees with the body
 * - `missing_meta`: a modern request without the `_meta` keys that every one must have
 * - `client_response`: a JSON-RPC response, which modern clients must not send
 * - `missing_target`: no tool, prompt or resource is named where the method needs one
 */
export type InboundFaultKind =
  | MessageFaultKind
  | 'unsupported_media_type'
  | 'header_mismatch'
  | 'missing_meta'
  | 'client_response'
  | 'missing_target';

export interface InboundFault {
  readonly kind: InboundFaultKind;
  readonly httpStatus: number;
  readonly rpcCode: number;
  /** A sentence for the agent. Holds nothing from the message. */
  readonly message: string;
  /** The request's id as sent; undefined when there is none to answer to. */
  readonly idJson: string | undefined;
}

/** MCP 2026-07-28: headers and body disagree. */
export const HEADER_MISMATCH = -32020;
/** JSON-RPC 2.0 section 5.1; with HTTP 404 since MCP 2026-07-28. */
const METHOD_NOT_FOUND = -32601;

/** Methods with a target that MCP 2026-07-28 took out. Its servers do not know them, whatever their parameters. */
const REMOVED_FROM_MODERN: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe']);

export const VERSION_META_KEY = 'io.modelcontextprotocol/protocolVersion';
export const CAPABILITIES_META_KEY = 'io.modelcontextprotocol/clientCapabilities';

type Call = JsonRpcRequest | JsonRpcNotification;
type Read = Pick<InboundMessage, 'era' | 'protocolVersion'>;
/** A fault as a rule sees it, before the id is put to it. */
type RuleFault = Omit<InboundFault, 'idJson'>;

/** Reads the body of a POST to an MCP endpoint under the rules of Streamable HTTP, in the era that the message itself belongs to. */
export function readInbound(request: { readonly rawHeaders: RawFields }, body: Uint8Array): Result<InboundMessage, InboundFault> {
  const fields = request.rawHeaders;
  const media = checkMedia(fields);
  if (!media.ok) return refuse(media.failure, body, undefined);
  const parsed = parseJsonRpc(body);
  if (!parsed.ok) {
    const { kind, detail, idSpan } = parsed.failure;
    return refuse({ kind, httpStatus: 400, rpcCode: rpcCodeOf(kind), message: detail }, body, idSpan);
  }
  const message = parsed.value;
  const idSpan = message.kind === 'request' ? message.idSpan : undefined;
  const read = message.kind === 'response' ? readResponse(fields) : readCall(fields, message);
  if (!read.ok) return refuse(read.failure, body, idSpan);
  const operation =
    message.kind === 'response' ? operationOf(HTTP_METHODS.clientResponse, undefined) : operationOf(message.method, message.params);
  if (!operation.ok) {
    const { kind, parameter } = operation.failure;
    // Answered as servers answer it, inside the protocol: the message is well-formed, its parameters are not.
    const fault = { kind, httpStatus: 200, rpcCode: INVALID_PARAMS, message: `${parameter} is missing, or not in normal form` };
    const isRemoved = read.value.era === 'modern' && message.kind !== 'response' && REMOVED_FROM_MODERN.has(message.method);
    const removed = { kind, httpStatus: 404, rpcCode: METHOD_NOT_FOUND, message: 'this protocol version has no such method' };
    return refuse(isRemoved ? removed : fault, body, idSpan);
  }
  return ok({ message, era: read.value.era, protocolVersion: read.value.protocolVersion, operation: operation.value });
}

function checkMedia(fields: RawFields): Result<undefined, RuleFault> {
  const unsupported = (message: string) =>
    fail({ kind: 'unsupported_media_type', httpStatus: 415, rpcCode: INVALID_REQUEST, message } as const);
  const types = fieldValues(fields, 'content-type');
  if (types.length !== 1 || !isJsonMediaType(types[0] as string)) return unsupported('Content-Type must be application/json in UTF-8');
  const encodings = fieldValues(fields, 'content-encoding');
  if (encodings.some((encoding) => encoding.toLowerCase() !== 'identity')) return unsupported('the body must not be compressed');
  return ok(undefined);
}

function readResponse(fields: RawFields): Result<Read, RuleFault> {
  const header = versionHeader(fields, 'legacy');
  if (!header.ok) return header;
  if (header.value !== undefined && eraOf(header.value) === 'modern') {
    const message = 'clients of this protocol version send no responses';
    return fail({ kind: 'client_response', httpStatus: 400, rpcCode: INVALID_REQUEST, message });
  }
  return ok({ era: 'legacy', protocolVersion: header.value });
}

/**
 * The era is the message's own: modern when `_meta` names a protocol version. The header alone never makes it so, but must not
 * contradict it. `initialize` is the legacy handshake, unless a whole modern `_meta` is with it; a part of one must not be contradicted either.
 */
function readCall(fields: RawFields, call: Call): Result<Read, RuleFault> {
  const claim = call.meta !== undefined && Object.hasOwn(call.meta, VERSION_META_KEY);
  const header = versionHeader(fields, claim ? 'modern' : 'legacy');
  if (!header.ok) return header;
  const isHandshake = call.kind === 'request' && call.method === 'initialize' && !claimsModern(call);
  if (claim && !isHandshake) return readClaim(fields, call);
  const namesModern = header.value !== undefined && eraOf(header.value) === 'modern';
  const legacy = { era: 'legacy', protocolVersion: header.value ?? requestedVersion(call) } as const;
  if (!namesModern) return claim ? readHandshake(fields, call, legacy) : ok(legacy);
  if (isHandshake) return headerMismatch('initialize does not belong to the protocol version that the MCP-Protocol-Version header names');
  if (call.kind === 'request') return missingMeta(VERSION_META_KEY);
  return withHeaders(fields, call, undefined, { era: 'modern', protocolVersion: header.value });
}

/** A message whose `_meta` names a protocol version. Only upstream knows which ones it serves, so any is passed on (-32022 is its answer). */
function readClaim(fields: RawFields, call: Call): Result<Read, RuleFault> {
  const version = call.meta?.[VERSION_META_KEY];
  if (typeof version !== 'string') return missingMeta(VERSION_META_KEY);
  if (call.kind === 'request' && !isObject(call.meta?.[CAPABILITIES_META_KEY])) return missingMeta(CAPABILITIES_META_KEY);
  return withHeaders(fields, call, version, { era: 'modern', protocolVersion: version });
}

/** A handshake with a part of a modern `_meta`: servers may go by either, so that no header may say a third thing. */
function readHandshake(fields: RawFields, { method, params, meta }: Call, legacy: Read): Result<Read, RuleFault> {
  const version = meta?.[VERSION_META_KEY];
  const protocolVersion = typeof version === 'string' ? version : undefined;
  const checked = checkStandardHeaders(fields, { protocolVersion, method, params, required: false });
  return checked.ok ? ok(legacy) : headerMismatch(checked.failure);
}

function withHeaders(fields: RawFields, call: Call, claimed: string | undefined, read: Read): Result<Read, RuleFault> {
  const { method, params } = call;
  const protocolVersion = claimed ?? read.protocolVersion;
  const required = call.kind === 'request' && protocolVersion !== undefined && isKnownVersion(protocolVersion);
  const checked = checkStandardHeaders(fields, { protocolVersion, method, params, required });
  return checked.ok ? ok(read) : headerMismatch(checked.failure);
}

function claimsModern({ meta }: Call): boolean {
  const version = meta?.[VERSION_META_KEY];
  return typeof version === 'string' && eraOf(version) === 'modern' && isObject(meta?.[CAPABILITIES_META_KEY]);
}

function requestedVersion({ method, params }: Call): string | undefined {
  const version = method === 'initialize' ? params?.['protocolVersion'] : undefined;
  return typeof version === 'string' ? version : undefined;
}

function versionHeader(fields: RawFields, era: Era): Result<string | undefined, RuleFault> {
  const versions = fieldValues(fields, 'mcp-protocol-version');
  if (versions.length <= 1) return ok(versions[0]);
  const message = 'the MCP-Protocol-Version header is sent more than once';
  if (era === 'modern') return headerMismatch(message);
  return fail({ kind: 'header_mismatch', httpStatus: 400, rpcCode: INVALID_REQUEST, message });
}

function headerMismatch(message: string): Result<never, RuleFault> {
  return fail({ kind: 'header_mismatch', httpStatus: 400, rpcCode: HEADER_MISMATCH, message });
}

function missingMeta(key: string): Result<never, RuleFault> {
  return fail({ kind: 'missing_meta', httpStatus: 400, rpcCode: INVALID_PARAMS, message: `params._meta must have a valid ${key}` });
}

function refuse(fault: RuleFault, body: Uint8Array, idSpan: Span | undefined): Result<never, InboundFault> {
  return fail({ ...fault, idJson: idSpan === undefined ? undefined : idJson(body, idSpan) });
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The message with our own span as its parent (`params._meta.traceparent`, SEP-414); every other byte stays as it was judged.
 * A message without `_meta` is left alone.
 * @throws {TypeError} when `traceparent` is not of W3C Trace Context section 3.2: nothing else may get into the message here.
 */
export function withTraceparent(bytes: Uint8Array, message: Call, traceparent: string): Uint8Array {
  if (!TRACEPARENT.test(traceparent)) throw new TypeError('not a traceparent');
  const { meta, metaSpan, traceparentSpan } = message;
  if (traceparentSpan !== undefined) return splice(bytes, [{ span: traceparentSpan, text: `"${traceparent}"` }]);
  if (meta === undefined || metaSpan === undefined) return bytes;
  const inside = metaSpan.start + 1;
  const separator = Object.keys(meta).length === 0 ? '' : ',';
  return splice(bytes, [{ span: { start: inside, end: inside }, text: `"traceparent":"${traceparent}"${separator}` }]);
}
