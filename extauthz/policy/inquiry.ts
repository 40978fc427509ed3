import type { Response } from '@cedar-policy/cedar-wasm/nodejs';
import type { Operation } from '../api/operation.ts';
import type { Principal } from '../api/principal.ts';
import type { CompiledPolicy } from './compile.ts';
import { authorize, type PolicySetKind } from './preparsed.ts';
import { quickAnswer } from './quick-answer.ts';
import { mergeReads, NO_READS, type Reads } from './reads.ts';
import type { CedarRequest, Subject } from './request.ts';
import type { Rules } from './rules.ts';
import { targetOf } from './vocabulary.ts';

/**
 * `server` must be registered.
 * @throws when a name holds half of a surrogate pair. Cedar would throw as well, but loses a piece of its stack each time, until it fails for all.
 */
export function subjectOf(rules: Rules, principal: Principal, server: string, operation: Operation): Subject {
  const { id, subject, issuer, groups } = principal.user;
  const { namespace, serviceAccount } = principal.agent;
  for (const name of [id, subject, issuer, ...groups, namespace, serviceAccount, operation.target])
    if (!name.isWellFormed()) throw new Error('a name is not valid Unicode');
  return { principal, server, agentGroups: rules.agentGroupsOf(principal.agent), target: targetOf(rules.registry, server, operation) };
}

/** Policies whose scope lets them apply. */
export function policiesInScope(rules: Rules, { principal, server, target }: Subject): readonly CompiledPolicy[] {
  const { id: user, groups } = principal.user;
  const { action, actionGroup, resource } = target;
  return [...rules.scopes.find({ user, groups, server, action, actionGroup, resource })];
}

export function readsOfAll(policies: readonly CompiledPolicy[]): Reads {
  return policies.map(({ reads }) => reads).reduce(mergeReads, NO_READS);
}

/**
 * Asks under the policy set of that kind: the conditions compiled beforehand where they suffice, else Cedar. Every so often Cedar is asked
 * all the same, and its answer is the one that counts; should the two ever differ, Cedar answers everything from then on.
 *
 * @param inScope what `policiesInScope` gives for the request
 * @throws when Cedar refuses the request: no answer is not an answer.
 */
export function ask(rules: Rules, kind: PolicySetKind, request: CedarRequest, inScope: readonly CompiledPolicy[]): Response {
  const quick = rules.trust.isTrusted ? quickAnswer(quickPolicies(inScope, kind), request) : undefined;
  if (quick !== undefined && !rules.trust.isCheckDue()) return quick;
  const answer = authorize(rules.sets, kind, request);
  if (answer.type === 'failure') throw new Error(`Cedar refused the request: ${answer.errors[0]?.message}`);
  const { response } = answer;
  if (quick !== undefined && !isSame(quick, response)) {
    rules.trust.lose();
    rules.onFault(new Error(`the compiled ${kind} policies disagree with Cedar; from now on Cedar answers alone`));
  }
  return response;
}

function quickPolicies(inScope: readonly CompiledPolicy[], kind: PolicySetKind) {
  const ofKind = inScope.filter(({ shadow }) => shadow === (kind === 'shadow'));
  return kind === 'visible' ? ofKind.map(({ visible }) => visible) : ofKind.map(({ quick }) => quick);
}

function isSame(quick: Response, asked: Response): boolean {
  const [ours, theirs] = [quick, asked].map(({ decision, diagnostics: { reason, errors } }) =>
    JSON.stringify([decision, reason.toSorted(), errors.length]),
  );
  return ours === theirs;
}
