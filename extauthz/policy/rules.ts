import type { Agent } from '../api/principal.ts';
import type { CompiledPolicies, CompiledPolicy } from './compile.ts';
import { agentId, type Groups } from './groups.ts';
import type { PolicySets } from './preparsed.ts';
import type { Registry } from './registry.ts';
import { indexScopes, type ScopeIndex } from './scope-index.ts';
import { Trust } from './trust.ts';

/** Must not throw. */
export type OnFault = (cause: unknown) => void;

/** One answer in so many is compared with Cedar's own. */
const CHECK_EVERY = 1_000;

/** All that deciding needs of one bundle. Immutable, but for the trust in it. */
export interface Rules {
  readonly registry: Registry;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  readonly scopes: ScopeIndex<CompiledPolicy>;
  readonly sets: PolicySets;
  readonly trust: Trust;
  /** Told what made an evaluation fail; the answer is a deny by then. */
  readonly onFault: OnFault;
  agentGroupsOf(agent: Agent): readonly string[];
}

export function rulesOf(registry: Registry, groups: Groups, { policies, sets }: CompiledPolicies, onFault: OnFault): Rules {
  return {
    registry,
    policies,
    scopes: indexScopes([...policies.values()]),
    sets,
    trust: new Trust(CHECK_EVERY),
    onFault,
    agentGroupsOf: (agent) => groups.agents.get(agentId(agent)) ?? [],
  };
}
