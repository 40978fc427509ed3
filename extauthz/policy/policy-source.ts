import cedar, { type PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { fail, ok, type Result } from '../api/result.ts';
import type { TextFile } from './bundle-files.ts';
import { errorText, lineOfOffset, type Statement, splitStatements } from './cedar-text.ts';
import { policyTooComplex, textTooComplex } from './complexity.ts';
import { type BundleProblem, problem } from './problem.ts';

/** A policy of the bundle, parsed but not validated yet. */
export interface PolicySource {
  readonly id: string;
  readonly file: string;
  readonly statement: Statement;
  readonly json: PolicyJson;
  /** `@enforce("shadow")`: evaluated and recorded, not enforced. */
  readonly shadow: boolean;
  /** `@reason`, or undefined. Shown to the agent. */
  readonly reason: string | undefined;
}

/** Ids of policies that no file of the bundle may claim. */
const OWN_PREFIXES = ['builtin/', 'view/'];
const ID = /^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,199}$/;

/** Reads one `.cedar` file. Policies without `@id` are called `<file>#<n>`, counted from 1. */
export function readPolicies(source: TextFile): { policies: readonly PolicySource[]; problems: readonly BundleProblem[] } {
  const policies: PolicySource[] = [];
  const problems: BundleProblem[] = [];
  for (const [index, statement] of splitStatements(source.text).entries()) {
    const read = readPolicy(source.path, `${source.path}#${index + 1}`, statement);
    if (read.ok) policies.push(read.value);
    else problems.push(...read.failure);
  }
  return { policies, problems };
}

/** Parses one statement and reads its annotations. */
export function readPolicy(file: string, defaultId: string, statement: Statement): Result<PolicySource, readonly BundleProblem[]> {
  const refuse = (reason: string) => fail([problem(file, statement.line, reason)]);
  const tooComplex = textTooComplex(statement.text);
  if (tooComplex !== undefined) return refuse(tooComplex);
  const parsed = cedar.policyToJson(statement.text);
  if (parsed.type === 'failure') {
    const errors = parsed.errors.flatMap((error) => [error, ...(error.related ?? [])]);
    return fail(
      errors.map((error) => {
        const offset = error.sourceLocations?.[0]?.start;
        return problem(file, offset === undefined ? statement.line : lineOfOffset(statement, offset), errorText(error));
      }),
    );
  }
  const json = parsed.json;
  const tooDeep = policyTooComplex(json);
  if (tooDeep !== undefined) return refuse(tooDeep);
  const annotation = (name: string): string | undefined => {
    const annotations: Record<string, string | null> = json.annotations ?? {};
    // An annotation without a value is null in the JSON form.
    return Object.hasOwn(annotations, name) ? (annotations[name] ?? '') : undefined;
  };
  const enforce = annotation('enforce');
  if (enforce !== undefined && enforce !== 'shadow') {
    return refuse(`@enforce(${JSON.stringify(enforce)}): the only value is "shadow"`);
  }
  const reason = annotation('reason');
  return ok({
    id: annotation('id') ?? defaultId,
    file,
    statement,
    json,
    shadow: enforce === 'shadow',
    reason: reason === '' ? undefined : reason,
  });
}

/** Problems with the ids of the bundle's own policies: one that cannot be used, is reserved, or is taken. */
export function checkIds(policies: readonly PolicySource[]): readonly BundleProblem[] {
  const problems: BundleProblem[] = [];
  const first = new Map<string, PolicySource>();
  for (const policy of policies) {
    const { id, file, statement } = policy;
    const refuse = (reason: string): void => void problems.push(problem(file, statement.line, `@id(${JSON.stringify(id)}): ${reason}`));
    const reserved = OWN_PREFIXES.find((prefix) => id.startsWith(prefix));
    const other = first.get(id);
    if (!ID.test(id)) refuse('must be up to 200 letters, digits and . _ : / # -, starting with a letter or digit');
    else if (reserved !== undefined) refuse(`ids that start with ${reserved} are reserved`);
    else if (other !== undefined) refuse(`this id is already used in ${other.file}, line ${other.statement.line}`);
    else first.set(id, policy);
  }
  return problems;
}
