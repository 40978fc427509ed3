import type { DenyCode } from './decision.ts';

/**
 * How a message ended.
 *
 * - `ok`: the server answered with a result, or took the notification
 * - `rpc_error`: the server answered with a JSON-RPC error
 * - `tool_error`: the server answered a tool call with `isError: true`
 * - `denied`: policy refused it, or no decision could be had
 * - `rejected`: it was malformed, and refused before policy
 * - `upstream_error`: the server could not be reached or broke off
 * - `cancelled`: the client went away before the end
 */
export const AUDIT_OUTCOMES = ['ok', 'rpc_error', 'tool_error', 'denied', 'rejected', 'upstream_error', 'cancelled'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** Who wrote the record: a sidecar, which saw the answer too, or the policy service when another proxy asked it. */
export const AUDIT_SOURCES = ['sidecar', 'envoy-check'] as const;
export type AuditSource = (typeof AUDIT_SOURCES)[number];

export interface AuditUser {
  /** `Principal.user.id`. */
  readonly id: string;
  readonly issuer: string;
  readonly groups: readonly string[];
}

export interface AuditAgent {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Null when the workload token is not pod-bound. */
  readonly pod: string | null;
}

/**
 * One message, one record: who asked for what, what was decided, and how it ended. JSON on the wire and at rest.
 * It names the arguments and hashes them; their values are never stored by default.
 */
export interface AuditRecord {
  /** UUID version 7 (RFC 9562). Stored once, however often it is reported. */
  readonly id: string;
  /** When the message arrived: RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** Empty when the message was refused before a decision. */
  readonly decisionId: string;
  /** Policy revision that decided; empty likewise. */
  readonly revision: string;
  readonly effect: 'allow' | 'deny';
  /** A `DenyCode`, a rejection's own code, or empty when allowed. */
  readonly code: DenyCode | (string & {});
  readonly reason: string;
  readonly policies: readonly string[];
  readonly wouldDeny: readonly string[];
  /** The decision came from the sidecar's cache. */
  readonly cached: boolean;
  /** Null when no user could be verified. */
  readonly user: AuditUser | null;
  readonly agent: AuditAgent | null;
  readonly server: string;
  /** JSON-RPC method or one of the `http/` names; empty when the message could not be read. */
  readonly method: string;
  /** Tool or prompt name, resource URI, or empty. */
  readonly target: string;
  /** Top-level names in `params.arguments`, as sent. */
  readonly argumentNames: readonly string[];
  /** Lower-case hex SHA-256 of the bytes of `params`; empty when there are none. */
  readonly argumentsSha256: string;
  /** Whose credential went upstream, for example `file:alice`; never the secret. */
  readonly credential: string;
  readonly outcome: AuditOutcome;
  /** Status sent to the agent; null when the connection was gone, or another proxy answered. */
  readonly httpStatus: number | null;
  /** JSON-RPC error code sent to the agent, or null. */
  readonly rpcCode: number | null;
  /** MCP revision of the message, for example `2025-11-25`; empty when unknown. */
  readonly protocolVersion: string;
  /** From the first byte received to the last byte sent. */
  readonly durationMs: number;
  /** The part of it that is Sidegate's own. */
  readonly overheadMs: number;
  /** W3C trace id and span id, lower-case hex; empty without a trace. */
  readonly traceId: string;
  readonly spanId: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly source: AuditSource;
}
