import type { Span } from './json-structure.ts';

/**
 * Why bytes are not one JSON-RPC 2.0 message that MCP allows and every server reads alike.
 *
 * - `parse_error`: not JSON, or JSON that parsers read differently
 * - `batch`: an array of messages, which only revision 2025-03-26 had
 * - `not_an_object`: JSON, but no message
 * - `unknown_member`: the envelope has a member that JSON-RPC does not define, or members that do not go together
 * - `case_variant_key`: a key differs only by case from one the protocol defines
 * - `invalid_version`: `jsonrpc` is not "2.0"
 * - `invalid_method`: `method` is not a usable name
 * - `missing_id`: a request without an id, which must not pass as a notification
 * - `invalid_id`: the id is not a string or integer
 * - `unexpected_id`: a notification with an id
 * - `invalid_params`: `params` is not an object
 * - `invalid_meta`: `params._meta` is not an object
 * - `invalid_response`: a response whose result or error has the wrong shape
 */
export type MessageFaultKind =
  | 'parse_error'
  | 'batch'
  | 'not_an_object'
  | 'unknown_member'
  | 'case_variant_key'
  | 'invalid_version'
  | 'invalid_method'
  | 'missing_id'
  | 'invalid_id'
  | 'unexpected_id'
  | 'invalid_params'
  | 'invalid_meta'
  | 'invalid_response';

export interface MessageFault {
  readonly kind: MessageFaultKind;
  /** A sentence for the sender. Holds nothing from the message. */
  readonly detail: string;
  /** Where the id is, if the message has a usable one and awaits an answer. */
  readonly idSpan: Span | undefined;
}

/** Error codes of JSON-RPC 2.0 section 5.1. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const INVALID_PARAMS = -32602;

/** The JSON-RPC error code that answers a fault. */
export function rpcCodeOf(kind: MessageFaultKind): number {
  switch (kind) {
    case 'parse_error':
      return PARSE_ERROR;
    case 'invalid_meta':
      return INVALID_PARAMS;
    default:
      return INVALID_REQUEST;
  }
}
