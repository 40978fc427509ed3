import { hash } from 'node:crypto';
import type { AuditRecord } from '../../extauthz/api/audit-record.ts';
import { uuidV7 } from '../../runtime/uuid-v7.ts';
import type { Ending, Exchange } from '../exchange.ts';

const MAX_TEXT_LENGTH = 1_024;
const MAX_ARGUMENT_NAMES = 64;

/** What the exchange's trace is called. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** The audit record of a finished exchange. Argument values are not in it. */
export function auditRecord(exchange: Exchange, ending: Ending, trace: TraceIds, endedAtMs: number): AuditRecord {
  const { decision, refusal, params } = exchange;
  const durationMs = endedAtMs - exchange.arrivedAtMs;
  return {
    id: uuidV7(),
    time: new Date(exchange.arrivedAtUnixMs).toISOString(),
    decisionId: decision?.id ?? '',
    revision: decision?.revision ?? '',
    effect: decision?.effect === 'allow' && ending.outcome !== 'denied' ? 'allow' : 'deny',
    code: refusal?.code ?? '',
    reason: cut(refusal?.reason ?? ''),
    policies: decision?.policies ?? [],
    wouldDeny: decision?.wouldDeny ?? [],
    cached: exchange.cached,
    user: decision?.principal?.user ?? null,
    agent: agentOf(exchange),
    server: exchange.route?.name ?? '',
    method: cut(exchange.method),
    target: cut(exchange.target),
    argumentNames: exchange.argumentNames.slice(0, MAX_ARGUMENT_NAMES).map(cut),
    argumentsSha256: params.length === 0 ? '' : hash('sha256', params, 'hex'),
    credential: exchange.forwardedAtMs === undefined ? '' : (decision?.obligations.credential ?? ''),
    outcome: ending.outcome,
    httpStatus: ending.httpStatus,
    rpcCode: ending.rpcCode,
    protocolVersion: cut(exchange.protocolVersion),
    durationMs: round(durationMs),
    overheadMs: round(durationMs - upstreamMs(exchange, endedAtMs)),
    traceId: trace.traceId,
    spanId: trace.spanId,
    requestBytes: exchange.requestBytes,
    responseBytes: ending.responseBytes,
    source: 'sidecar',
  };
}

/** The part of an exchange's time that its server took. */
export function upstreamMs({ forwardedAtMs, answeredAtMs }: Exchange, endedAtMs: number): number {
  return forwardedAtMs === undefined ? 0 : (answeredAtMs ?? endedAtMs) - forwardedAtMs;
}

function agentOf({ decision }: Exchange): AuditRecord['agent'] {
  const agent = decision?.principal?.agent;
  return agent === undefined ? null : { ...agent, pod: agent.pod ?? null };
}

/** The agent chooses these texts; a record must stay small enough to be delivered. The hash of the parameters tells long ones apart. */
function cut(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;
}

/** To a microsecond. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
