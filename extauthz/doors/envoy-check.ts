import type { Metadata, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Logger } from '../../runtime/logger.ts';
import type { CheckRequest, CheckResponse } from '../api/envoy-protos.ts';
import type { Agent } from '../api/principal.ts';
import { ok, type Result } from '../api/result.ts';
import type { BundleSource } from '../bundle-source.ts';
import type { DecisionService, Ruling } from '../decision-service.ts';
import { bearerToken } from '../identity/bearer.ts';
import { publicReason } from '../identity/token-failure.ts';
import type { WorkloadVerifier } from '../identity/workload.ts';
import type { ServiceMetrics } from '../metrics.ts';
import type { AuditBacklog } from '../store/audit-backlog.ts';
import { checkRecord } from './check-record.ts';
import { type CheckRefusal, DENIED_CODE, NO_DECISION_CODE, unjudgeable } from './check-refusal.ts';
import { allowResponse, denialBody, denyResponse, type Verdicted } from './check-response.ts';
import { askedBefore } from './checked-answer.ts';
import { type CheckedMessage, checkedMessage } from './checked-message.ts';
import { checkedServer } from './checked-server.ts';
import { verifyCaller } from './verified-stream.ts';

export interface EnvoyCheckOptions {
  readonly workloads: WorkloadVerifier;
  /** `none` lets any caller ask; the agent is then unknown. */
  readonly callerAuth: 'token' | 'none';
  readonly bundles: BundleSource;
  readonly decisions: DecisionService;
  readonly backlog: AuditBacklog;
  readonly metrics: ServiceMetrics;
  readonly now: () => number;
  readonly newId: () => string;
  readonly logger: Logger;
}

/** Stands for a token that is there but is not a bearer token, so that the caller hears "not valid" and not "missing". */
const NOT_A_TOKEN = '-';
const UNKNOWN_AGENT: Agent = { namespace: '', serviceAccount: '', pod: undefined };

/** What is known about a Check so far; fills up on the way, so that whatever stops it is recorded with all of it. */
interface Progress {
  read?: CheckedMessage;
  server: string;
  agent?: Agent;
  ruling?: Ruling;
}

/**
 * `envoy.service.auth.v3.Authorization/Check`: decides one HTTP request to an MCP server for a proxy that speaks Envoy's protocol.
 * It answers with an OK reply in every case, faults included, because a gRPC error is what `failure_mode_allow` lets pass.
 */
export function envoyCheckDoor(
  options: EnvoyCheckOptions,
): (call: ServerUnaryCall<CheckRequest, CheckResponse>, reply: sendUnaryData<CheckResponse>) => void {
  return ({ request, metadata }, reply) =>
    void check(request, metadata, options)
      .catch((error: unknown) => {
        options.logger.error({ err: error }, 'a fault while answering Check; denied');
        const { failure } = denied('policy_error', 'the policy could not be evaluated');
        const verdicted: Verdicted = { id: options.newId(), revision: '', policies: [], wouldDeny: [] };
        return denyResponse(failure, denialBody(failure, 'null', verdicted), verdicted);
      })
      .then((response) => reply(null, response));
}

async function check(request: CheckRequest, metadata: Metadata, options: EnvoyCheckOptions): Promise<CheckResponse> {
  const { now, newId, backlog, metrics, logger } = options;
  const arrivedAtMs = now();
  const startedAt = performance.now();
  const progress: Progress = { server: '' };
  let decided: Result<Ruling, CheckRefusal>;
  try {
    decided = await decide(request, metadata, options, progress);
  } catch (error) {
    logger.error({ err: error }, 'a fault while answering Check; denied');
    decided = denied('policy_error', 'the policy could not be evaluated');
  }

  const { read, ruling } = progress;
  const verdicted: Verdicted = ruling ?? { id: newId(), revision: '', policies: [], wouldDeny: [] };
  const refusal = decided.ok ? undefined : inProtocolForm(decided.failure, read);
  const body = refusal === undefined ? '' : denialBody(refusal, read?.idText ?? 'null', verdicted);
  const durationMs = performance.now() - startedAt;
  metrics.decided('envoy-check', { effect: decided.ok ? 'allow' : 'deny', code: refusal?.code }, durationMs / 1_000);
  backlog.add(
    checkRecord({
      recordId: newId(),
      arrivedAtMs,
      durationMs,
      verdicted,
      read,
      server: progress.server,
      agent: progress.agent,
      principal: ruling?.principal,
      operation: ruling?.operation,
      credential: ruling?.obligations.credential ?? '',
      refusal,
      responseBytes: Buffer.byteLength(body),
    }),
  );
  return decided.ok ? allowResponse(decided.value) : denyResponse(refusal ?? decided.failure, body, verdicted);
}

async function decide(
  request: CheckRequest,
  metadata: Metadata,
  options: EnvoyCheckOptions,
  progress: Progress,
): Promise<Result<Ruling, CheckRefusal>> {
  const { attributes } = request;
  const http = attributes?.request?.http;
  if (attributes === null || http === undefined || http === null) return unjudgeable('the proxy sent no HTTP request to check');
  // Reading comes first, because what is refused later is answered in the form of the message.
  const { read, fit } = checkedMessage(attributes, http);
  progress.read = read;
  progress.server = checkedServer(options.bundles.current(), attributes.contextExtensions, http);

  const agent = await callerOf(metadata, options);
  if (!agent.ok) return agent;
  progress.agent = agent.value;
  if (!fit.ok) return fit;
  if (options.backlog.full) return denied('unavailable', 'audit records cannot be stored at the moment');

  const token = bearerToken(read.headers.get('authorization'));
  const userToken = token.ok ? token.value : token.failure.kind === 'missing' ? '' : NOT_A_TOKEN;
  const question = { agent: agent.value, server: progress.server, method: read.method, params: read.params, userToken, minRevision: '' };
  let refused: Ruling | undefined;
  for (const asked of askedBefore(read.message)) {
    refused = await options.decisions.decide({ ...question, ...asked });
    if (refused.effect === 'allow') break;
  }
  const ruling = refused === undefined || refused.effect === 'allow' ? await options.decisions.decide(question) : refused;
  progress.ruling = ruling;
  return ruling.effect === 'allow' ? ok(ruling) : denied(ruling.code ?? 'policy_error', ruling.reason);
}

/** The proxy proves itself with a workload token. What it says about its peer (`attributes.source`) is never taken for an identity. */
async function callerOf(
  metadata: Metadata,
  { callerAuth, workloads, now, logger }: EnvoyCheckOptions,
): Promise<Result<Agent, CheckRefusal>> {
  if (callerAuth === 'none') return ok(UNKNOWN_AGENT);
  const caller = await verifyCaller(metadata, workloads, now());
  if (caller.ok) return ok(caller.value.agent);
  logger.warn({ kind: caller.failure.kind, detail: caller.failure.detail }, 'workload token of a proxy refused');
  const code = caller.failure.kind === 'keys_unavailable' ? 'unavailable' : 'unauthenticated';
  return denied(code, publicReason(caller.failure, 'workload'));
}

function denied(code: string, reason: string): { readonly ok: false; readonly failure: CheckRefusal } {
  const rpcCode = code === 'unavailable' ? NO_DECISION_CODE : DENIED_CODE;
  return { ok: false, failure: { outcome: 'denied', code, reason, httpStatus: 'Forbidden', rpcCode } };
}

/** A JSON-RPC request that is denied gets HTTP 200, because client libraries show the error's code and data only then. */
function inProtocolForm(refusal: CheckRefusal, read: CheckedMessage | undefined): CheckRefusal {
  const isRequest = read?.message?.kind === 'request';
  return isRequest && refusal.outcome === 'denied' ? { ...refusal, httpStatus: 'OK' } : refusal;
}
