import type { Action } from '../api/operation.ts';
import type { Principal } from '../api/principal.ts';
import { ask, policiesInScope, readsOfAll, subjectOf } from './inquiry.ts';
import { requestFor, type Subject } from './request.ts';
import type { Rules } from './rules.ts';

export interface ListQuestion {
  readonly principal: Principal;
  readonly server: string;
  readonly action: Action;
  /** Tool or prompt names, resource URIs, or URI templates, which count as the URI they spell. */
  readonly names: readonly string[];
  /** Unix time. */
  readonly nowMs: number;
}

/** For each name, whether some call could be allowed. Never throws: what cannot be evaluated is not shown. */
export function visible(rules: Rules, { principal, server, action, names, nowMs }: ListQuestion): boolean[] {
  if (!rules.registry.has(server)) return names.map(() => false);
  return names.map((name) => {
    try {
      return isVisible(rules, subjectOf(rules, principal, server, { action, target: name }), nowMs);
    } catch (cause) {
      rules.onFault(cause);
      return false;
    }
  });
}

function isVisible(rules: Rules, subject: Subject, nowMs: number): boolean {
  const inScope = policiesInScope(rules, subject);
  const request = requestFor(subject, readsOfAll(inScope), nowMs, undefined);
  const readsArguments = subject.target.tool?.input !== undefined && inScope.some(({ reads }) => reads.input);
  if (!readsArguments) {
    // Nothing is missing, so that this is the question that the call will ask.
    const { decision, diagnostics } = ask(rules, 'enforced', request, inScope);
    return decision === 'allow' && diagnostics.errors.length === 0;
  }
  const { decision, diagnostics } = ask(rules, 'visible', request, inScope);
  const errored = diagnostics.errors.map(({ policyId }) => rules.policies.get(policyId));
  // Without arguments in it, a policy errs in the call just as it did here, and the call is denied. One that had them replaced may err
  // here and not there: a forbid then may not apply, a permit may.
  if (errored.some((policy) => policy === undefined || !policy.reads.input)) return false;
  if (decision === 'allow') return true;
  const forbidden = diagnostics.reason.length > 0;
  return !forbidden && errored.some((policy) => policy?.json.effect === 'permit');
}
