import type { AgentReport, SeenCall, SeenServer } from '../agent/report.ts';
import type { ReceivedSpan } from './trace-receiver.ts';

export interface CallOutcome {
  readonly step: string;
  readonly server: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** `failed` is anything that is neither a result nor a denial by policy. */
  readonly outcome: 'allowed' | 'denied' | 'failed';
  /** The JSON-RPC error code, or null. */
  readonly code: number | null;
  /** What the agent was told; empty when allowed. */
  readonly reason: string;
  readonly decisionId: string;
  readonly revision: string;
  readonly latencyMs: number;
  /** Shadow policies that would have denied it, from the audit trail. */
  readonly wouldDeny: readonly string[];
}

/** The credential that the ticket server saw, in its own words. */
interface UpstreamCredential {
  readonly user: string;
  readonly audience: string;
  readonly clientId: string;
}

export interface UserOutcome {
  readonly user: string;
  readonly groups: readonly string[];
  readonly servers: readonly SeenServer[];
  readonly calls: readonly CallOutcome[];
  /** Null when the ticket server was not reached. */
  readonly upstreamCredential: UpstreamCredential | null;
  /** How many of the calls the audit trail holds. */
  readonly auditedCalls: number;
  /** HTTP status when the agent's own token is shown to the ticket server directly. */
  readonly ownTokenAtTickets: number;
}

export interface LatencyOutcome {
  readonly call: string;
  readonly samples: number;
  readonly directMedianMs: number;
  readonly governedMedianMs: number;
  readonly addedMedianMs: number;
}

export interface TraceOutcome {
  readonly traceId: string;
  /** Span id in the `traceparent` that the ticket server received. */
  readonly upstreamParentSpanId: string;
  readonly spans: readonly ReceivedSpan[];
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly wanted: string;
  readonly got: string;
}

/** The document that `--json` prints. */
export interface QuickStartOutcome {
  /** Everything came out as the bundle says. */
  readonly ok: boolean;
  readonly sdk: 'v1' | 'v2';
  readonly users: readonly UserOutcome[];
  readonly latency: LatencyOutcome;
  readonly trace: TraceOutcome;
  readonly checks: readonly Check[];
  readonly secondsToReady: number;
  readonly seconds: number;
}

/** JSON-RPC error code of a denial by policy. */
const DENIED = 4030;

/** Reads one call of the agent's report the way the agent's application would: code, message and data of the JSON-RPC error. */
export function callOutcome({ outcome, latencyMs, ...planned }: SeenCall, wouldDeny: readonly string[]): CallOutcome {
  const call = { ...planned, latencyMs, wouldDeny };
  if (outcome.kind === 'result') {
    return {
      ...call,
      outcome: outcome.isError ? 'failed' : 'allowed',
      code: null,
      reason: outcome.isError ? outcome.text : '',
      decisionId: '',
      revision: '',
    };
  }
  const { sidegate } = (outcome.data ?? {}) as { sidegate?: { decisionId?: string; revision?: string } };
  return {
    ...call,
    outcome: outcome.code === DENIED ? 'denied' : 'failed',
    code: outcome.code ?? null,
    reason: outcome.message,
    decisionId: sidegate?.decisionId ?? '',
    revision: sidegate?.revision ?? '',
  };
}

interface WhoAmI extends UpstreamCredential {
  readonly traceparent: string | null;
}

/** What the ticket server's `whoami` said, or undefined when the call did not get there. */
export function whoAmI(report: AgentReport): WhoAmI | undefined {
  const call = report.calls.find(({ server, tool }) => server === 'tickets' && tool === 'whoami');
  return call?.outcome.kind === 'result' && !call.outcome.isError ? (call.outcome.structured as WhoAmI) : undefined;
}
