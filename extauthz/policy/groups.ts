import { z } from 'zod';
import { ok, type Result } from '../api/result.ts';
import type { TextFile } from './bundle-files.ts';
import type { BundleProblem } from './problem.ts';
import { readYaml } from './yaml-file.ts';

/** Who is in which group, as `groups.yaml` says. */
export interface Groups {
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** By agent id, see `agentId`. */
  readonly agents: ReadonlyMap<string, readonly string[]>;
}

const NO_GROUPS: Groups = { users: new Map(), agents: new Map() };

const names = z.array(z.string().min(1));
const groupsSchema = z.strictObject({
  // A Map, because a record loses a user who is called `__proto__`.
  users: z.preprocess(
    (value) => (typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : value),
    z.map(z.string(), names, 'must map each user id to a list of group names').optional(),
  ),
  agents: z.array(z.strictObject({ namespace: z.string().min(1), serviceAccount: z.string().min(1), groups: names })).optional(),
});

/** Cedar entity id of an agent. Neither part can hold a slash: Kubernetes allows none in either name. */
export function agentId(agent: { readonly namespace: string; readonly serviceAccount: string }): string {
  return `${agent.namespace}/${agent.serviceAccount}`;
}

export function readGroups(source: TextFile | undefined): Result<Groups, readonly BundleProblem[]> {
  if (source === undefined) return ok(NO_GROUPS);
  const read = readYaml(source, groupsSchema);
  if (!read.ok) return read;
  const { users, agents } = read.value.value;
  const byAgent = new Map<string, readonly string[]>();
  for (const agent of agents ?? []) {
    byAgent.set(agentId(agent), sortedUnique(byAgent.get(agentId(agent)) ?? [], agent.groups));
  }
  return ok({ users: users ?? new Map(), agents: byAgent });
}

export function sortedUnique(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}
