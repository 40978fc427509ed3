import type { Verdict } from '../api/decision.ts';
import type { Agent } from '../api/principal.ts';
import { fail, ok, type Result } from '../api/result.ts';
import { sortFiles } from './bundle-files.ts';
import { cedarSchemaOf } from './cedar-schema.ts';
import { compilePolicies } from './compile.ts';
import { evaluate, type Question } from './evaluate.ts';
import { type Groups, readGroups, sortedUnique } from './groups.ts';
import { checkIds, readPolicies } from './policy-source.ts';
import { prepare } from './preparsed.ts';
import { type BundleProblem, inReadingOrder, problem } from './problem.ts';
import { readRegistry, type ServerEntry } from './registry.ts';
import { revisionOf } from './revision.ts';
import { type OnFault, type Rules, rulesOf } from './rules.ts';
import { compileViews, readViews, type View } from './view.ts';
import { type ListQuestion, visible } from './visible.ts';

export type { BundleProblem } from './problem.ts';
export type { CredentialSource, ServerEntry } from './registry.ts';

export interface PolicyEngine {
  /**
   * Loads a bundle as a whole, or says everything that is wrong with it.
   * Keys are bundle-relative paths with `/`. A bundle must register at least one server; one without policies denies everything.
   */
  load(files: ReadonlyMap<string, Uint8Array>): Result<Bundle, readonly BundleProblem[]>;
}

/** One immutable revision of policy. Keeps answering as loaded, also after others were loaded. */
export interface Bundle {
  /** Content hash: the first 16 hex characters of a SHA-256. */
  readonly revision: string;
  readonly servers: ReadonlyMap<string, ServerEntry>;
  /** The tools of each view, each written `<server>.<tool>`. */
  readonly views: ReadonlyMap<string, readonly string[]>;
  /** What is legal but looks wrong, such as look-alike characters in names. */
  readonly warnings: readonly BundleProblem[];
  /**
   * The user's groups: what `groups.yaml` says together with what the token says. Sorted, no duplicates.
   * The agent's groups are not among them: a policy reads those as `context.agent in Group::"..."`, so that a user never gains
   * what is granted to an agent.
   */
  groupsOf(userId: string, tokenGroups: readonly string[], agent: Agent): readonly string[];
  /** Decides one operation. Never throws; a fault inside denies. */
  evaluate(question: Question): Verdict;
  /** For each name, in order: could any call on it be allowed? Never false when `evaluate` could allow at the same time. */
  visible(question: ListQuestion): boolean[];
  /** Whether any policy reads the time, so that what is visible may change by itself. */
  readonly readsTime: boolean;
}

/** `onFault` hears of exceptions during evaluation, which the verdict shows only as `policy_error`; it must not throw. */
export function createPolicyEngine(onFault: OnFault = () => {}): PolicyEngine {
  return {
    load(files) {
      try {
        return loadBundle(files, onFault);
      } catch (cause) {
        return fail([problem('', undefined, `the bundle cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`)]);
      }
    },
  };
}

function loadBundle(files: ReadonlyMap<string, Uint8Array>, onFault: OnFault): Result<Bundle, readonly BundleProblem[]> {
  const parts = readParts(files, onFault);
  if (!parts.ok) return parts;
  const { rules, groups, views, warnings } = parts.value;
  prepare(rules.sets);
  return ok({
    revision: revisionOf(files),
    servers: new Map([...rules.registry].map(([name, { entry }]) => [name, entry])),
    views: new Map(views.map(({ name, allow_tools }) => [name, allow_tools])),
    warnings,
    groupsOf: (userId, tokenGroups) => sortedUnique(groups.users.get(userId) ?? [], tokenGroups),
    evaluate: (question) => evaluate(rules, question),
    visible: (question) => visible(rules, question),
    readsTime: [...rules.policies.values()].some(({ reads }) => reads.now),
  });
}

interface Parts {
  readonly rules: Rules;
  readonly groups: Groups;
  readonly views: readonly View[];
  readonly warnings: readonly BundleProblem[];
}

function readParts(files: ReadonlyMap<string, Uint8Array>, onFault: OnFault): Result<Parts, readonly BundleProblem[]> {
  const sorted = sortFiles(files);
  const problems: BundleProblem[] = [...sorted.problems];
  const registry = collect(problems, readRegistry(sorted.files));
  const groups = collect(problems, readGroups(sorted.files.groups));

  const read = sorted.files.policies.map(readPolicies);
  const policies = read.flatMap((file) => file.policies);
  const views = readViews(sorted.files.views);
  problems.push(...read.flatMap((file) => file.problems), ...checkIds(policies), ...views.problems);

  // Views and validation need the whole registry. Without it they would report problems that are not there.
  if (registry !== undefined) {
    const compiledViews = compileViews(views.views, registry);
    problems.push(...compiledViews.problems);
    const compiled = collect(problems, compilePolicies([...policies, ...compiledViews.policies], cedarSchemaOf(registry)));
    if (problems.length === 0 && groups !== undefined && compiled !== undefined) {
      return ok({
        rules: rulesOf(registry, groups, compiled, onFault),
        groups,
        views: views.views.map(({ value }) => value),
        warnings: compiled.warnings,
      });
    }
  }
  return fail(inReadingOrder(problems));
}

/** The value, or undefined after noting what is wrong, so that reading can go on and find more. */
function collect<T>(problems: BundleProblem[], result: Result<T, readonly BundleProblem[]>): T | undefined {
  if (result.ok) return result.value;
  problems.push(...result.failure);
  return undefined;
}
