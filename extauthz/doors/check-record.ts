import { hash } from 'node:crypto';
import type { AuditRecord } from '../api/audit-record.ts';
import type { Operation } from '../api/operation.ts';
import type { Agent, Principal } from '../api/principal.ts';
import type { CheckRefusal } from './check-refusal.ts';
import type { Verdicted } from './check-response.ts';
import type { CheckedMessage } from './checked-message.ts';

/** Everything that a finished Check leaves for the audit. */
export interface FinishedCheck {
  readonly recordId: string;
  readonly arrivedAtMs: number;
  readonly durationMs: number;
  readonly verdicted: Verdicted;
  readonly read: CheckedMessage | undefined;
  readonly server: string;
  readonly agent: Agent | undefined;
  readonly principal: Principal | undefined;
  readonly operation: Operation | undefined;
  readonly credential: string;
  /** Undefined when the request was let through. */
  readonly refusal: CheckRefusal | undefined;
  readonly responseBytes: number;
}

const HTTP_STATUS = { OK: 200, BadRequest: 400, Forbidden: 403, ServiceUnavailable: 503 } as const;
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}/;

/**
 * The audit record of one Check. The proxy does not tell how a request that it let through ended,
 * so `ok` stands for "let through", and status and size of the answer are not known.
 */
export function checkRecord(check: FinishedCheck): AuditRecord {
  const { read, principal, refusal, verdicted } = check;
  const agent = principal?.agent ?? check.agent;
  const durationMs = Math.round(check.durationMs * 1_000) / 1_000;
  const trace = traceOf(read);
  return {
    id: check.recordId,
    time: new Date(check.arrivedAtMs).toISOString(),
    decisionId: verdicted.id,
    revision: verdicted.revision,
    effect: refusal === undefined ? 'allow' : 'deny',
    code: refusal?.code ?? '',
    reason: refusal?.reason ?? '',
    policies: verdicted.policies,
    wouldDeny: verdicted.wouldDeny,
    cached: false,
    user: principal === undefined ? null : { id: principal.user.id, issuer: principal.user.issuer, groups: principal.user.groups },
    agent: agent === undefined ? null : { namespace: agent.namespace, serviceAccount: agent.serviceAccount, pod: agent.pod ?? null },
    server: check.server,
    method: read?.method ?? '',
    target: check.operation?.target ?? '',
    argumentNames: argumentNames(read),
    argumentsSha256: read === undefined || read.params.length === 0 ? '' : hash('sha256', read.params, 'hex'),
    credential: refusal === undefined ? check.credential : '',
    outcome: refusal?.outcome ?? 'ok',
    httpStatus: refusal === undefined ? null : HTTP_STATUS[refusal.httpStatus],
    rpcCode: refusal?.rpcCode ?? null,
    protocolVersion: protocolVersion(read),
    durationMs,
    overheadMs: durationMs,
    traceId: trace?.[1] ?? '',
    spanId: trace?.[2] ?? '',
    requestBytes: read?.body.length ?? 0,
    responseBytes: check.responseBytes,
    source: 'envoy-check',
  };
}

function metaOf(read: CheckedMessage | undefined): Readonly<Record<string, unknown>> {
  return read?.message === undefined || read.message.kind === 'response' ? {} : (read.message.meta ?? {});
}

function argumentNames(read: CheckedMessage | undefined): readonly string[] {
  if (read?.message === undefined || read.message.kind === 'response') return [];
  const values = read.message.params?.['arguments'];
  return typeof values === 'object' && values !== null && !Array.isArray(values) ? Object.keys(values) : [];
}

function protocolVersion(read: CheckedMessage | undefined): string {
  const inBody = metaOf(read)['io.modelcontextprotocol/protocolVersion'];
  return typeof inBody === 'string' ? inBody : (read?.headers.get('mcp-protocol-version') ?? '');
}

/** The trace the request belongs to: MCP's own context first, then the one of HTTP. */
function traceOf(read: CheckedMessage | undefined): RegExpExecArray | null {
  const inBody = metaOf(read)['traceparent'];
  return TRACEPARENT.exec(typeof inBody === 'string' ? inBody : (read?.headers.get('traceparent') ?? ''));
}
