import cedar, { type SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import { fail, ok, type Result } from '../api/result.ts';
import { errorText, lineOfOffset } from './cedar-text.ts';
import { type PolicySource, readPolicy } from './policy-source.ts';
import type { PolicySet, PolicySets } from './preparsed.ts';
import { type BundleProblem, problem } from './problem.ts';
import { type QuickPolicy, quickPolicy } from './quick-answer.ts';
import { mergeReads, NO_READS, type Reads, readsOf } from './reads.ts';
import { uidOf } from './scope-index.ts';
import { withoutArguments } from './visibility.ts';
import { ACTIONS } from './vocabulary.ts';

/** A validated policy with what is known about it beforehand. */
export interface CompiledPolicy extends PolicySource {
  readonly reads: Reads;
  readonly quick: QuickPolicy;
  /** The same as in the set `visible`. */
  readonly visible: QuickPolicy;
}

export interface CompiledPolicies {
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  readonly sets: PolicySets;
  /** What validation remarked without refusing, such as names that look alike. */
  readonly warnings: readonly BundleProblem[];
}

/** Lets every verified user list and handshake; what a list shows is decided item by item. A forbid of the bundle overrides it. */
const CONNECT = {
  id: 'builtin/connect',
  text: 'permit (principal is User, action == Action::"Connect", resource is Server);',
} as const;

/** Validates the bundle's policies strictly, and prepares the sets that Cedar evaluates. */
export function compilePolicies(
  sources: readonly PolicySource[],
  schema: SchemaJson<string>,
): Result<CompiledPolicies, readonly BundleProblem[]> {
  const all = [builtin(), ...sources];
  const { errors, warnings } = validate(all, schema);
  if (errors.length > 0) return fail(errors);

  const compiled = all.map((source): CompiledPolicy => {
    const reads = source.json.conditions.map(({ body }) => readsOf(body)).reduce(mergeReads, NO_READS);
    const { id, json } = source;
    return { ...source, reads, quick: quickPolicy(id, json), visible: quickPolicy(id, withoutArguments(json)) };
  });
  const enforced = compiled.filter(({ shadow }) => !shadow);
  return ok({
    policies: new Map(compiled.map((policy) => [policy.id, policy])),
    sets: {
      // The text that was validated, not another form of it.
      enforced: setOf(enforced, textOf),
      shadow: setOf(
        compiled.filter(({ shadow }) => shadow),
        textOf,
      ),
      visible: setOf(enforced, ({ json }) => withoutArguments(json)),
    },
    warnings,
  });
}

function validate(
  policies: readonly PolicySource[],
  schema: SchemaJson<string>,
): { errors: readonly BundleProblem[]; warnings: readonly BundleProblem[] } {
  const answer = cedar.validate({
    schema,
    policies: { staticPolicies: setOf(policies, textOf) },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') return { errors: answer.errors.map((error) => problem('', undefined, errorText(error))), warnings: [] };

  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const located = ({ policyId, error }: (typeof answer.validationErrors)[number]): BundleProblem => {
    const policy = byId.get(policyId);
    if (policy === undefined) return problem('', undefined, errorText(error));
    const offset = error.sourceLocations?.[0]?.start;
    const line = offset === undefined ? policy.statement.line : lineOfOffset(policy.statement, offset);
    return problem(policy.file, line, `policy ${policyId}: ${errorText(error)}`);
  };
  const errors = answer.validationErrors.map(located);
  const erroneous = new Set(answer.validationErrors.map(({ policyId }) => policyId));
  const impossible = new Set(answer.validationWarnings.filter(({ error }) => isImpossible(error.message)).map(({ policyId }) => policyId));
  for (const id of impossible) {
    const policy = byId.get(id);
    // Cedar only warns. But a forbid that can never apply guards nothing, and its author believes it does.
    if (policy !== undefined && !erroneous.has(id)) {
      errors.push(problem(policy.file, policy.statement.line, `policy ${id}: no request can ever match this policy${hint(policy)}`));
    }
  }
  const warnings = answer.validationWarnings.filter(({ policyId }) => !impossible.has(policyId)).map(located);
  return { errors, warnings };
}

function textOf({ statement }: PolicySource): string {
  return statement.text;
}

function isImpossible(message: string): boolean {
  return message.includes('policy is impossible');
}

/** The mistake that is made most: a request's action is a tool's own, never the group of them. */
function hint({ json: { action } }: PolicySource): string {
  const isGroup = action.op === '==' && 'entity' in action && uidOf(action.entity).id === ACTIONS.callTool;
  return isGroup ? ` (${ACTIONS.callTool} is a group of actions: write \`action in Action::"${ACTIONS.callTool}"\`)` : '';
}

function builtin(): PolicySource {
  const read = readPolicy('', CONNECT.id, { text: CONNECT.text, firstLine: 1, line: 1 });
  if (!read.ok) throw new Error(`the built-in policy does not parse: ${read.failure[0]?.reason}`);
  return read.value;
}

function setOf<P extends PolicySet[string]>(policies: readonly PolicySource[], form: (policy: PolicySource) => P): Record<string, P> {
  return Object.fromEntries(policies.map((policy) => [policy.id, form(policy)]));
}
