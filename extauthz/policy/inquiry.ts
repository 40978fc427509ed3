import type { Response } from '@cedar-policy/cedar-wasm/nodejs';
import type { Operation } from '../api/operation.ts';
import type { Principal } from '../api/principal.ts';
import type { CompiledPolicy } from './compile.ts';
import { authorize, type PolicySetKind } from './preparsed.ts';
import { mergeReads, NO_READS, type Reads } from './reads.ts';
import type { CedarRequest, Subject } from './request.ts';
import type { Rules } from './rules.ts';
import { inScope } from './scope.ts';
import { targetOf } from './vocabulary.ts';

/** `server` must be registered. */
export function subjectOf(rules: Rules, principal: Principal, server: string, operation: Operation): Subject {
  return { principal, server, agentGroups: rules.agentGroupsOf(principal.agent), target: targetOf(rules.registry, server, operation) };
}

/** Policies that could apply and whose presence matters beyond Cedar's answer: they read the context, or are in shadow mode. */
export function relevantPolicies(rules: Rules, { principal, server, target }: Subject): readonly CompiledPolicy[] {
  const { id: user, groups } = principal.user;
  const { action, actionGroup, resource } = target;
  return rules.notable(target).filter(({ json }) => inScope(json, { user, groups, server, action, actionGroup, resource }));
}

export function readsOfAll(policies: readonly CompiledPolicy[]): Reads {
  return policies.map(({ reads }) => reads).reduce(mergeReads, NO_READS);
}

/** Throws when Cedar refuses the request: no answer is not an answer. */
export function ask(rules: Rules, kind: PolicySetKind, request: CedarRequest): Response {
  const answer = authorize(rules.sets, kind, request);
  if (answer.type === 'failure') throw new Error(`Cedar refused the request: ${answer.errors[0]?.message}`);
  return answer.response;
}
