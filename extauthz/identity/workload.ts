import type { Agent } from '../api/principal.ts';
import { fail, ok, type Result } from '../api/result.ts';
import type { KeySource } from './keys.ts';
import type { TokenFailure } from './token-failure.ts';
import { createVerificationCache } from './verification-cache.ts';
import { type TokenRules, type VerifiedClaims, verifyToken } from './verify-token.ts';

/** Which workload a service-account token speaks for. */
export interface VerifiedWorkload {
  readonly agent: Agent;
  readonly expiresAtMs: number;
}

export interface WorkloadVerifier {
  verify(token: string, nowMs: number): Promise<Result<VerifiedWorkload, TokenFailure>>;
}

/** Kubernetes names: DNS labels and subdomains (RFC 1123). */
const SUBJECT = /^system:serviceaccount:([a-z0-9](?:[-a-z0-9]*[a-z0-9])?):([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)$/;
const WORKLOAD_TOKEN_TYPES = ['jwt'];
const MAX_CACHED = 10_000;

/** Verifies projected Kubernetes service-account tokens, which sidecars present. */
export function createWorkloadVerifier(rules: Omit<TokenRules, 'types'>, keys: KeySource): WorkloadVerifier {
  const cache = createVerificationCache<VerifiedWorkload>(MAX_CACHED);
  const tokenRules: TokenRules = { ...rules, types: WORKLOAD_TOKEN_TYPES };
  return {
    async verify(token, nowMs) {
      const known = cache.get(token, nowMs);
      if (known !== undefined) return ok(known);
      const verified = await verifyToken(token, tokenRules, keys, nowMs);
      if (!verified.ok) return verified;
      const agent = agentOf(verified.value);
      if (!agent.ok) return agent;
      const workload: VerifiedWorkload = { agent: agent.value, expiresAtMs: verified.value.exp * 1_000 };
      cache.set(token, workload, nowMs);
      return ok(workload);
    },
  };
}

/** Reads the identity twice, from `sub` and from the `kubernetes.io` claim, and wants both to say the same. */
function agentOf(claims: VerifiedClaims): Result<Agent, TokenFailure> {
  const [, namespace, serviceAccount] = SUBJECT.exec(claims.sub) ?? [];
  if (namespace === undefined || serviceAccount === undefined)
    return fail({ kind: 'bad_claim', detail: 'sub is not that of a service account' });
  const bound = record(claims['kubernetes.io']);
  if (bound?.['namespace'] !== namespace) return fail({ kind: 'bad_claim', detail: 'kubernetes.io namespace' });
  if (record(bound['serviceaccount'])?.['name'] !== serviceAccount)
    return fail({ kind: 'bad_claim', detail: 'kubernetes.io serviceaccount' });
  const pod = record(bound['pod'])?.['name'];
  if (bound['pod'] !== undefined && typeof pod !== 'string') return fail({ kind: 'bad_claim', detail: 'kubernetes.io pod' });
  return ok({ namespace, serviceAccount, pod: typeof pod === 'string' ? pod : undefined });
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
