import type { DenyCode } from '../extauthz/api/decision.ts';

/** JSON-RPC error codes of Sidegate's own answers. They lie outside the range that JSON-RPC and MCP reserve. */
export const DENIED = 4030;
export const NO_DECISION = 5030;
export const UPSTREAM_FAILED = 5020;

/** Codes that JSON-RPC 2.0 section 5.1 defines. */
const INTERNAL_ERROR = -32603;
const METHOD_NOT_FOUND = -32601;
const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;

/**
 * Why a message was not answered by its server. One spelling serves the wire, audit, metrics and spans.
 *
 * - a `DenyCode`: the policy service said no, or could not be asked
 * - `malformed`, `unknown_route`, `capture_required`, `unknown_session`, `foreign_origin`, `too_large`, `too_slow`, `wrong_method`: refused before policy was asked
 * - `unknown_task`: not a task that this user made here
 * - `foreign_state`: a `requestState` that was given to somebody else, or for something else
 * - `upstream_unreachable`, `upstream_credential`, `upstream_redirect`, `upstream_answer`: the server failed
 * - `audit_backlog`, `internal`: the sidecar itself could not go on
 */
export type RefusalCode =
  | DenyCode
  | 'malformed'
  | 'unknown_route'
  | 'capture_required'
  | 'unknown_session'
  | 'foreign_origin'
  | 'too_large'
  | 'too_slow'
  | 'wrong_method'
  | 'unknown_task'
  | 'foreign_state'
  | 'upstream_unreachable'
  | 'upstream_credential'
  | 'upstream_redirect'
  | 'upstream_answer'
  | 'audit_backlog'
  | 'internal';

export interface Refusal {
  readonly code: RefusalCode;
  /** A sentence the agent may see. */
  readonly reason: string;
  readonly httpStatus: number;
  readonly rpcCode: number;
  /** Present when a decision was made. */
  readonly decisionId?: string;
  readonly revision?: string;
  /** Field for `Allow`, with `wrong_method`. */
  readonly allow?: string;
  /** What the protocol has in `error.data` with this code. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A refusal by policy: HTTP 200 with a JSON-RPC error, so that every SDK hands code and data to its caller. */
export function denied(code: DenyCode, reason: string, decisionId: string, revision: string): Refusal {
  return { code, reason, httpStatus: 200, rpcCode: code === 'unavailable' ? NO_DECISION : DENIED, decisionId, revision };
}

export function noDecision(reason: string): Refusal {
  return { code: 'unavailable', reason, httpStatus: 200, rpcCode: NO_DECISION };
}

export function upstreamFailed(code: Extract<RefusalCode, `upstream_${string}`>, reason: string): Refusal {
  return { code, reason, httpStatus: 200, rpcCode: UPSTREAM_FAILED };
}

/** Answers that must not reach the agent as they are. */
export function refusalForStatus(status: number, server: string): Refusal | undefined {
  if (status > 599) return upstreamFailed('upstream_answer', `the server ${server} answered with a status that HTTP does not have`);
  // A 401 would make the agent's SDK start OAuth against localhost.
  if (status === 401) return upstreamFailed('upstream_credential', `the server ${server} did not accept the credential it was given`);
  // Only a proxy asks so. A captured agent would take it for the sidecar's, and show it another credential.
  if (status === 407) return upstreamFailed('upstream_answer', `the server ${server} answered as only a proxy may`);
  // A redirect would lead the agent around the sidecar.
  if (status >= 300 && status < 400 && status !== 304)
    return upstreamFailed('upstream_redirect', `the server ${server} answered with a redirect, which is not followed`);
  return undefined;
}

/** Refusals made before a message is known, with the HTTP status that says so. */
export function rejected(code: RefusalCode, httpStatus: number, reason: string, rpcCode = INVALID_REQUEST): Refusal {
  return { code, reason, httpStatus, rpcCode };
}

export function unknownRoute(): Refusal {
  return rejected('unknown_route', 404, 'no MCP server is registered at this path; a server’s path is /<server>/mcp', METHOD_NOT_FOUND);
}

/** At the sidecar's own path `Authorization` is the user's token, which leaves no field for what the agent shows to its server. */
export function captureRequired(server: string): Refusal {
  const reason = `the server ${server} authorizes agents itself: call it under its own URL, with sidegate as the HTTP proxy`;
  return { code: 'capture_required', reason, httpStatus: 200, rpcCode: DENIED };
}

/** What a server says about a session that has ended: clients then open a new one (MCP 2025-11-25, Session Management). */
export function unknownSession(): Refusal {
  return rejected('unknown_session', 404, 'there is no such session; open a new one');
}

export function foreignState(): Refusal {
  return rejected('foreign_state', 200, 'the requestState was not given for this request', INVALID_PARAMS);
}

export function internalFault(): Refusal {
  return rejected('internal', 500, 'the sidecar could not handle this message; its log has the details', INTERNAL_ERROR);
}

/**
 * The refusal as a JSON-RPC error response (JSON-RPC 2.0 section 5).
 * @param idJson the request's id exactly as it was sent, or undefined when it could not be read.
 */
export function refusalBody(refusal: Refusal, idJson: string | undefined): string {
  const { decisionId = '', revision = '', reason } = refusal;
  const error = { code: refusal.rpcCode, message: reason, data: { ...refusal.data, sidegate: { decisionId, revision, reason } } };
  return `{"jsonrpc":"2.0","id":${idJson ?? 'null'},"error":${JSON.stringify(error)}}`;
}
