import type { CedarValueJson, Response } from '@cedar-policy/cedar-wasm/nodejs';
import type { DenyCode, Vary, Verdict } from '../api/decision.ts';
import { parseParams } from '../api/json-params.ts';
import type { Operation } from '../api/operation.ts';
import type { Principal } from '../api/principal.ts';
import { fail, type Result } from '../api/result.ts';
import type { CompiledPolicy } from './compile.ts';
import type { RecordType } from './input-type.ts';
import { convertArguments, type InputFault } from './input-value.ts';
import { ask, policiesInScope, readsOfAll, subjectOf } from './inquiry.ts';
import { type CedarRequest, requestFor } from './request.ts';
import type { Rules } from './rules.ts';
import { argumentSentence, printable, wishOf } from './sentence.ts';

export interface Question {
  readonly principal: Principal;
  readonly server: string;
  readonly operation: Operation;
  /** The JSON-RPC `params` as received; may be empty. */
  readonly params: Uint8Array;
  /** Unix time. */
  readonly nowMs: number;
}

const NOTHING: Vary = { arguments: false, time: false };
const EVERYTHING: Vary = { arguments: true, time: true };
const POLICY_ERROR = 'a policy that applies could not be evaluated';

/** Decides one operation. Never throws: whatever goes wrong inside is a deny, and one that must not be cached. */
export function evaluate(rules: Rules, question: Question): Verdict {
  try {
    return decide(rules, question);
  } catch (cause) {
    rules.onFault(cause);
    return deny('policy_error', POLICY_ERROR, [], EVERYTHING);
  }
}

function decide(rules: Rules, { principal, server, operation, params, nowMs }: Question): Verdict {
  if (!rules.registry.has(server)) return deny('unknown_server', `no server is registered as ${printable(server)}`, [], NOTHING);

  const subject = subjectOf(rules, principal, server, operation);
  const type = subject.target.tool?.input;
  const inScope = policiesInScope(rules, subject);
  const reads = readsOfAll(inScope);
  // Without an input type there is no `context.input`, so that nothing can depend on the arguments.
  const readers = type === undefined ? [] : inScope.filter((policy) => policy.reads.input);
  const vary: Vary = { arguments: readers.length > 0, time: reads.now };

  let input: CedarValueJson | undefined;
  const wouldDeny = new Set<string>();
  if (type !== undefined && readers.length > 0) {
    const converted = inputOf(type, params);
    if (converted.ok) input = converted.value;
    else {
      const enforcedReaders = readers.filter(({ shadow }) => !shadow);
      if (enforcedReaders.length > 0) return deny('invalid_arguments', argumentSentence(converted.failure), idsOf(enforcedReaders), vary);
      for (const id of idsOf(readers)) wouldDeny.add(id);
    }
  }

  const request = requestFor(subject, reads, nowMs, input);
  const { decision, diagnostics } = ask(rules, 'enforced', request, inScope);
  // An erring forbid is skipped by Cedar, so its decision means nothing once there is an error.
  if (diagnostics.errors.length > 0) return deny('policy_error', POLICY_ERROR, erroredIds(diagnostics), vary);
  const policies = diagnostics.reason.toSorted();
  if (decision !== 'allow') {
    const who = printable(principal.user.id);
    const wish = wishOf(operation, server);
    if (policies.length === 0) return deny('not_permitted', `no policy permits ${who} to ${wish}`, [], vary);
    return deny('forbidden', publicReason(rules, policies) ?? `a policy forbids ${who} to ${wish}`, policies, vary);
  }

  if (inScope.some(({ shadow }) => shadow)) {
    for (const id of shadowDenials(rules, request, inScope)) wouldDeny.add(id);
  }
  return { effect: 'allow', code: undefined, reason: '', policies, wouldDeny: [...wouldDeny].sort(), vary };
}

/** Reads `params.arguments` for policy; absent params and absent arguments count as an empty object. */
function inputOf(type: RecordType, params: Uint8Array): Result<CedarValueJson, InputFault> {
  if (params.length === 0) return convertArguments(type, {});
  const parsed = parseParams(params);
  if (!parsed.ok) return fail({ path: '', reason: `is not usable JSON (${parsed.failure.detail})` });
  const { value, unsafeNumbers } = parsed.value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail({ path: '', reason: 'must be an object' });
  const given = Object.hasOwn(value, 'arguments') ? (value as Record<string, unknown>)['arguments'] : {};
  const converted = convertArguments(type, given);
  // The upstream may read such a number differently than we do. Conversion names the argument when it is an integer that policy can read.
  if (converted.ok && unsafeNumbers) return fail({ path: '', reason: 'holds a number that cannot be represented exactly' });
  return converted;
}

/** Shadow policies that would have turned the allow into a deny: forbids that match, and any that err, since an error denies. */
function shadowDenials(rules: Rules, request: CedarRequest, inScope: readonly CompiledPolicy[]): readonly string[] {
  const { decision, diagnostics } = ask(rules, 'shadow', request, inScope);
  return [...(decision === 'deny' ? diagnostics.reason : []), ...erroredIds(diagnostics)];
}

function publicReason(rules: Rules, ids: readonly string[]): string | undefined {
  return ids.map((id) => rules.policies.get(id)?.reason).find((reason) => reason !== undefined);
}

function erroredIds({ errors }: Response['diagnostics']): readonly string[] {
  return errors.map(({ policyId }) => policyId).sort();
}

function idsOf(policies: readonly CompiledPolicy[]): readonly string[] {
  return policies.map(({ id }) => id).sort();
}

function deny(code: DenyCode, reason: string, policies: readonly string[], vary: Vary): Verdict {
  return { effect: 'deny', code, reason, policies, wouldDeny: [], vary };
}
