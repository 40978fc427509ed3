import type { PolicyJson, Response } from '@cedar-policy/cedar-wasm/nodejs';
import { Unsure } from './cedar-value.ts';
import { type Condition, compileConditions } from './condition.ts';
import { Environment } from './environment.ts';
import type { CedarRequest } from './request.ts';

/** A policy whose conditions can be evaluated without Cedar; `holds` is undefined when they cannot. */
export interface QuickPolicy {
  readonly id: string;
  readonly effect: PolicyJson['effect'];
  readonly holds: Condition | undefined;
}

export function quickPolicy(id: string, { effect, conditions }: PolicyJson): QuickPolicy {
  return { id, effect, holds: compileConditions(conditions) };
}

/**
 * What Cedar would answer, without asking it: its own evaluator takes a hundred times longer, most of it to read the request.
 * Undefined when only Cedar can tell: a policy errs, or uses something that is not evaluated here. So errors are always Cedar's to report.
 *
 * @param policies those of the set whose scope lets them apply to the request, and no others
 */
export function quickAnswer(policies: readonly QuickPolicy[], request: CedarRequest): Response | undefined {
  try {
    const environment = new Environment(request);
    const permits: string[] = [];
    const forbids: string[] = [];
    // All of them, also behind a forbid: the answer names each that holds, and any may err.
    for (const { id, effect, holds } of policies) {
      if (holds === undefined) return undefined;
      if (holds(environment)) (effect === 'permit' ? permits : forbids).push(id);
    }
    const decision = forbids.length === 0 && permits.length > 0 ? 'allow' : 'deny';
    return { decision, diagnostics: { reason: decision === 'allow' ? permits : forbids, errors: [] } };
  } catch (error) {
    if (error instanceof Unsure) return undefined;
    throw error;
  }
}
