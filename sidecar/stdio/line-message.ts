import { findMember, type MarkedText, type MemberPlace, ROOT } from '../../extauthz/api/json-members.ts';
import type { Span } from '../../extauthz/api/json-structure.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';
import { SERVER_LIMITS } from '../mcp/server-limits.ts';
import { type Edit, splice } from '../mcp/splice.ts';

/** A value that refers to a request, and where it stands. */
export interface Reference {
  readonly value: string | number;
  readonly span: Span;
}

/** One message of either side of a stdio conversation, read as far as it takes to bring it to whom it belongs. */
export interface LineMessage {
  readonly kind: 'request' | 'notification' | 'response';
  readonly bytes: Uint8Array;
  /** Empty for a response. */
  readonly method: string;
  readonly id: Reference | undefined;
  /** The `error.code` of a response. */
  readonly errorCode: number | undefined;
  /** `params._meta.progressToken` of a request, `params.progressToken` of a notification. */
  readonly progressToken: Reference | undefined;
  /** `params.requestId`, what `notifications/cancelled` is about. */
  readonly requestId: Reference | undefined;
  /** `_meta` subscription id (2026-07-28), in the `params` of a notification or the `result` of a response. */
  readonly subscriptionId: Reference | undefined;
  /** Whether the request asks for log messages (2026-07-28). */
  readonly wantsLog: boolean;
  /** Whether `_meta` names a protocol version, as every request of 2026-07-28 does. */
  readonly claimsModern: boolean;
}

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';
/** Down to the members of `params._meta`. */
const MARK_DEPTH = 3;

/** Reads a line. Fails with a phrase for the log, which holds nothing from the line. */
export function readLine(bytes: Uint8Array): Result<LineMessage, string> {
  const document = parseStrictDocument(bytes, MARK_DEPTH, SERVER_LIMITS);
  if (!document.ok) return fail(`${document.failure.detail} (byte ${document.failure.offset})`);
  const { value, structure } = document.value;
  if (!isObject(value)) return fail('not a JSON object');
  if (value['jsonrpc'] !== '2.0') return fail('not a JSON-RPC 2.0 message');
  const text: MarkedText = { bytes, marks: structure.marks };
  const kind = kindOf(value);
  if (kind === undefined) return fail('neither a call nor a response');
  const id = reference(text, ROOT, value, 'id');
  if (kind !== 'notification' && id === undefined) return fail('an id that is neither a string nor a number');

  const container = place(text, ROOT, value, kind === 'response' ? 'result' : 'params');
  const meta = container && place(text, container.open, container.object, '_meta');
  const inMeta = (name: string) => meta && reference(text, meta.open, meta.object, name);
  const inParams = (name: string) => container && reference(text, container.open, container.object, name);
  const error = value['error'];
  return ok({
    kind,
    bytes,
    method: kind === 'response' ? '' : String(value['method']),
    id,
    errorCode: isObject(error) ? Number(error['code']) : undefined,
    progressToken: kind === 'request' ? inMeta('progressToken') : kind === 'notification' ? inParams('progressToken') : undefined,
    requestId: kind === 'notification' ? inParams('requestId') : undefined,
    subscriptionId: inMeta(SUBSCRIPTION_ID),
    wantsLog: meta !== undefined && Object.hasOwn(meta.object, LOG_LEVEL),
    claimsModern: meta !== undefined && Object.hasOwn(meta.object, PROTOCOL_VERSION),
  });
}

/** The message with references replaced, and every other byte as it was. */
export function withReferences(message: LineMessage, changes: readonly (readonly [Reference | undefined, string])[]): Uint8Array {
  const edits: Edit[] = changes.flatMap(([at, text]) => (at === undefined ? [] : [{ span: at.span, text }]));
  return splice(
    message.bytes,
    edits.sort((a, b) => a.span.start - b.span.start),
  );
}

/** A reference as it was written, digit by digit. */
export function written({ bytes }: LineMessage, { span }: Reference): string {
  return Buffer.from(bytes.subarray(span.start, span.end)).toString();
}

/** The number that a line which is no valid message answers, as far as some reader could take it for a response. */
export function looseResponseId(bytes: Uint8Array): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
  const id = isObject(value) && !('method' in value) ? value['id'] : undefined;
  return typeof id === 'number' ? id : undefined;
}

function kindOf(value: Record<string, unknown>): LineMessage['kind'] | undefined {
  const isCall = typeof value['method'] === 'string';
  const isResponse = 'result' in value !== 'error' in value;
  if (isCall === isResponse || ('method' in value && !isCall)) return undefined;
  if (isResponse) return 'response';
  return 'id' in value ? 'request' : 'notification';
}

function reference(text: MarkedText, open: number, object: Record<string, unknown>, name: string): Reference | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  return { value, span: (findMember(text, open, name) as MemberPlace).value };
}

function place(
  text: MarkedText,
  open: number,
  object: Record<string, unknown>,
  name: string,
): { open: number; object: Record<string, unknown> } | undefined {
  const member = Object.hasOwn(object, name) ? object[name] : undefined;
  return isObject(member) ? { open: (findMember(text, open, name) as MemberPlace).open, object: member } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
