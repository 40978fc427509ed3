import type { DecisionResponse } from '../api/protos.ts';
import type { Ruling } from '../decision-service.ts';

/** Writes a ruling as the answer to question `id`. Here, and only here and in the Check door, secrets are unwrapped: for the wire. */
export function decisionResponse(id: number, ruling: Ruling, visible: readonly boolean[]): DecisionResponse {
  const { effect, obligations, principal } = ruling;
  return {
    id,
    effect: effect === 'allow' ? 'ALLOW' : 'DENY',
    decisionId: ruling.id,
    revision: ruling.revision,
    code: ruling.code ?? '',
    reason: ruling.reason,
    policies: ruling.policies,
    wouldDeny: ruling.wouldDeny,
    setHeaders: obligations.setHeaders.map(({ name, value }) => ({ name, value: value.reveal() })),
    removeHeaders: obligations.removeHeaders,
    credential: obligations.credential,
    vary: ruling.vary,
    expiresAtMs: ruling.expiresAtMs,
    principal:
      principal === undefined
        ? null
        : {
            userId: principal.user.id,
            subject: principal.user.subject,
            issuer: principal.user.issuer,
            groups: principal.user.groups,
            namespace: principal.agent.namespace,
            serviceAccount: principal.agent.serviceAccount,
            pod: principal.agent.pod ?? '',
          },
    visible,
  };
}
