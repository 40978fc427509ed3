import type { AttributeContext, HttpRequest } from '../api/envoy-protos.ts';
import { type JsonRpcMessage, parseJsonRpc } from '../api/json-rpc.ts';
import { rpcCodeOf } from '../api/json-rpc-fault.ts';
import { HTTP_METHODS } from '../api/operation.ts';
import { fail, ok, type Result } from '../api/result.ts';
import { agreement } from './agreement.ts';
import { type CheckRefusal, malformed } from './check-refusal.ts';
import { type HeaderFields, headerFields } from './header-fields.ts';
import { messageBody } from './message-body.ts';

/** What a checked request asks, as far as it could be read. */
export interface CheckedMessage {
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
  /** JSON-RPC method or one of `HTTP_METHODS`; empty when the message could not be read. */
  readonly method: string;
  /** Bytes of `params`. */
  readonly params: Uint8Array;
  readonly message: JsonRpcMessage | undefined;
  /** The id to answer with, as JSON text; undefined when the client does not wait for a JSON-RPC answer. */
  readonly idText: string | undefined;
}

const NOTHING = new Uint8Array(0);
/** Fields by which some servers let a request be taken for one with another method. */
const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** Reads a checked HTTP request as one MCP message. What cannot be read for certain is refused; `read` tells how far reading came. */
export function checkedMessage(
  attributes: AttributeContext,
  http: HttpRequest,
): { readonly read: CheckedMessage; readonly fit: Result<void, CheckRefusal> } {
  const headers = headerFields(http);
  const unread: CheckedMessage = { headers, body: NOTHING, method: '', params: NOTHING, message: undefined, idText: undefined };
  const refuse = (read: CheckedMessage, { failure }: { readonly failure: CheckRefusal }) => ({ read, fit: fail(failure) });

  if (METHOD_OVERRIDES.some((name) => headers.all(name).length > 0))
    return refuse(unread, malformed('the HTTP method must not be overridden'));
  if (headers.all('upgrade').length > 0) return refuse(unread, malformed('MCP has no protocol upgrade'));
  switch (http.method) {
    case 'POST':
      break;
    case 'GET':
    case 'DELETE': {
      const read = { ...unread, method: http.method === 'GET' ? HTTP_METHODS.stream : HTTP_METHODS.endSession };
      return http.body === '' && http.rawBody.length === 0
        ? { read, fit: ok(undefined) }
        : refuse(read, malformed(`${http.method} has no body in MCP`));
    }
    default:
      return refuse(unread, malformed('MCP uses only POST, GET and DELETE'));
  }

  const body = messageBody(http, headers);
  if (!body.ok) return refuse(unread, body);
  const parsed = parseJsonRpc(body.value);
  if (!parsed.ok) {
    const { kind, detail, idSpan } = parsed.failure;
    return refuse({ ...unread, body: body.value, idText: jsonText(body.value, idSpan) }, malformed(detail, rpcCodeOf(kind)));
  }
  const read = messageRead(headers, body.value, parsed.value);
  return { read, fit: agreement(parsed.value, headers, attributes.metadataContext?.filterMetadata ?? {}) };
}

function messageRead(headers: HeaderFields, body: Uint8Array, message: JsonRpcMessage): CheckedMessage {
  if (message.kind === 'response')
    return { headers, body, method: HTTP_METHODS.clientResponse, params: NOTHING, message, idText: undefined };
  const { method, paramsSpan } = message;
  const params = paramsSpan === undefined ? NOTHING : body.subarray(paramsSpan.start, paramsSpan.end);
  return { headers, body, method, params, message, idText: message.kind === 'request' ? jsonText(body, message.idSpan) : undefined };
}

/** The id as it was sent, digit by digit; `null` where none could be read (JSON-RPC 2.0 section 5). */
function jsonText(body: Uint8Array, span: { readonly start: number; readonly end: number } | undefined): string {
  return span === undefined ? 'null' : Buffer.from(body.subarray(span.start, span.end)).toString('utf8');
}
