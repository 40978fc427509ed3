import { z } from 'zod';
import type { TextFile } from './bundle-files.ts';
import { cedarString } from './cedar-text.ts';
import { type PolicySource, readPolicy } from './policy-source.ts';
import { type BundleProblem, problem } from './problem.ts';
import type { Registry } from './registry.ts';
import { ACTIONS, memberId } from './vocabulary.ts';
import { readYaml, type YamlFile } from './yaml-file.ts';

const viewSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'must be 1 to 100 of a-z, 0-9 and -, not starting with -'),
  allow_tools: z.array(z.string()).min(1, 'must name at least one tool'),
  groups: z.array(z.string().min(1)).optional(),
  users: z.array(z.string().min(1)).optional(),
});
export type View = z.infer<typeof viewSchema>;

interface Grant {
  readonly action: string;
  readonly tool: string;
}

/**
 * Reads `views/*.yaml`: allow-lists for those who do not write Cedar.
 * A view without `groups` and `users` is checked like any other but grants nothing: it only gives its tools a name.
 */
export function readViews(sources: readonly TextFile[]): { views: readonly YamlFile<View>[]; problems: readonly BundleProblem[] } {
  const views: YamlFile<View>[] = [];
  const problems: BundleProblem[] = [];
  for (const source of sources) {
    const read = readYaml(source, viewSchema);
    if (!read.ok) {
      problems.push(...read.failure);
      continue;
    }
    const { file, lineOf, value } = read.value;
    if (views.some((other) => other.value.name === value.name)) {
      problems.push(problem(file, lineOf(['name']), `a view named ${value.name} is defined twice`));
    }
    views.push(read.value);
  }
  return { views, problems };
}

/** Compiles each view that grants something to one permit with the id `view/<name>`. */
export function compileViews(
  views: readonly YamlFile<View>[],
  registry: Registry,
): { policies: readonly PolicySource[]; problems: readonly BundleProblem[] } {
  const policies: PolicySource[] = [];
  const problems: BundleProblem[] = [];
  for (const { file, value: view, lineOf } of views) {
    const grants: Grant[] = [];
    for (const [index, tool] of view.allow_tools.entries()) {
      const grant = grantOf(tool, registry);
      if (typeof grant === 'string') problems.push(problem(file, lineOf(['allow_tools', index]), `${tool}: ${grant}`));
      else grants.push(grant);
    }
    const holders = (view.groups ?? []).length + (view.users ?? []).length;
    if (grants.length < view.allow_tools.length || holders === 0) continue;

    const line = lineOf(['allow_tools']);
    const policy = readPolicy(file, `view/${view.name}`, { text: permitFor(view, grants), firstLine: line, line });
    if (policy.ok) policies.push(policy.value);
    else problems.push(...policy.failure);
  }
  return { policies, problems };
}

/** Splits `<server>.<tool>` and finds the action that calls it; a string says why that cannot be done. */
function grantOf(written: string, registry: Registry): Grant | string {
  const dot = written.indexOf('.');
  if (dot < 1 || dot === written.length - 1) return 'must be written as server.tool';
  // Server names hold no dot, so that the first one ends the name; tool names may hold more.
  const [server, tool] = [written.slice(0, dot), written.slice(dot + 1)];
  const registered = registry.get(server);
  if (registered === undefined) return `no server is registered as ${server}`;
  const id = memberId(server, tool);
  if (registered.catalogue === undefined) return { action: ACTIONS.callUndeclaredTool, tool: id };
  return registered.catalogue.has(tool) ? { action: id, tool: id } : `${server} has no tool ${tool} in its catalogue`;
}

/** One line, so that whatever Cedar says about it points at the line the view stands on; sets, so that long lists nest no deeper. */
function permitFor({ groups = [], users = [] }: View, grants: readonly Grant[]): string {
  const actions = new Set(grants.map(({ action }) => action));
  const holders = [
    ...(groups.length > 0 ? [`principal in ${setOf('Group', groups)}`] : []),
    ...(users.length > 0 ? [`${setOf('User', users)}.contains(principal)`] : []),
  ];
  const tools = grants.map(({ tool }) => tool);
  return [
    `permit (principal is User, action in ${setOf('Action', [...actions])}, resource is Tool)`,
    `when { ${holders.join(' || ')} }`,
    `when { ${setOf('Tool', tools)}.contains(resource) };`,
  ].join(' ');
}

function setOf(type: string, ids: readonly string[]): string {
  return `[${ids.map((id) => `${type}::${cedarString(id)}`).join(', ')}]`;
}
