import { hash } from 'node:crypto';
import type { AuditRecord } from '../../extauthz/api/audit-record.ts';
import { uuidV7 } from '../../runtime/uuid-v7.ts';
import type { Ending, Exchange } from '../exchange.ts';
import { KindCache } from '../telemetry/kind-cache.ts';

const MAX_TEXT_LENGTH = 1_024;
const MAX_ARGUMENT_NAMES = 64;

/** What the exchange's trace is called. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** The members that are the same for all messages of one kind. */
type OfKind = Pick<
  AuditRecord,
  'decisionId' | 'revision' | 'policies' | 'wouldDeny' | 'user' | 'agent' | 'server' | 'method' | 'target' | 'protocolVersion' | 'source'
>;
/** The members that each message has to itself. All but the reason and the names are numbers, or texts of ours that need no escapes. */
type OfMessage = Omit<AuditRecord, keyof OfKind>;

const kinds = new KindCache((exchange) => JSON.stringify(ofKind(exchange)).slice(0, -1));

/** The audit record of a finished exchange, an `AuditRecord` as JSON. Argument values are not in it. */
export function auditRecordJson(exchange: Exchange, ending: Ending, trace: TraceIds, endedAtMs: number): string {
  return `${kinds.get(exchange)},${JSON.stringify(ofMessage(exchange, ending, trace, endedAtMs)).slice(1)}`;
}

function ofKind({ decision, route, method, target, protocolVersion }: Exchange): OfKind {
  const agent = decision?.principal?.agent;
  return {
    decisionId: decision?.id ?? '',
    revision: decision?.revision ?? '',
    policies: decision?.policies ?? [],
    wouldDeny: decision?.wouldDeny ?? [],
    user: decision?.principal?.user ?? null,
    agent: agent === undefined ? null : { ...agent, pod: agent.pod ?? null },
    server: route?.name ?? '',
    method: cut(method),
    target: cut(target),
    protocolVersion: cut(protocolVersion),
    source: 'sidecar',
  };
}

function ofMessage(exchange: Exchange, ending: Ending, { traceId, spanId }: TraceIds, endedAtMs: number): OfMessage {
  const { decision, refusal, params, argumentNames } = exchange;
  const durationMs = endedAtMs - exchange.arrivedAtMs;
  return {
    id: uuidV7(),
    time: timeText(exchange.arrivedAtUnixMs),
    effect: decision?.effect === 'allow' && ending.outcome !== 'denied' ? 'allow' : 'deny',
    code: refusal?.code ?? '',
    reason: cut(refusal?.reason ?? ''),
    cached: exchange.cached,
    argumentNames: argumentNames.length === 0 ? argumentNames : argumentNames.slice(0, MAX_ARGUMENT_NAMES).map(cut),
    argumentsSha256: params.length === 0 ? '' : hash('sha256', params, 'hex'),
    credential: exchange.forwardedAtMs === undefined ? '' : (decision?.obligations.credential ?? ''),
    outcome: ending.outcome,
    httpStatus: ending.httpStatus,
    rpcCode: ending.rpcCode,
    durationMs: round(durationMs),
    overheadMs: round(durationMs - upstreamMs(exchange, endedAtMs)),
    traceId,
    spanId,
    requestBytes: exchange.requestBytes,
    responseBytes: ending.responseBytes,
  };
}

/** The part of an exchange's time that its server took. */
export function upstreamMs({ forwardedAtMs, answeredAtMs }: Exchange, endedAtMs: number): number {
  return forwardedAtMs === undefined ? 0 : Math.min(answeredAtMs ?? endedAtMs, endedAtMs) - forwardedAtMs;
}

let minute = Number.NaN;
let minuteText = '';

/** RFC 3339 with milliseconds; all but the seconds is written once a minute. */
function timeText(unixMs: number): string {
  const inMinute = unixMs % 60_000;
  if (unixMs - inMinute !== minute) {
    minute = unixMs - inMinute;
    minuteText = new Date(minute).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:'.length);
  }
  return `${minuteText}${inMinute < 10_000 ? '0' : ''}${(inMinute / 1_000).toFixed(3)}Z`;
}

/** The agent chooses these texts; a record must stay small enough to be delivered. The hash of the parameters tells long ones apart. */
function cut(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;
}

/** To a microsecond. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
