import type { Agent } from '../api/principal.ts';
import type { CompiledPolicies, CompiledPolicy } from './compile.ts';
import { agentId, type Groups } from './groups.ts';
import type { PolicySets } from './preparsed.ts';
import type { Registry } from './registry.ts';
import { actionInScope } from './scope.ts';
import { ACTIONS, memberId, type Target } from './vocabulary.ts';

type ActionOf = Pick<Target, 'action' | 'actionGroup'>;

/** All that deciding needs of one bundle. Immutable. */
export interface Rules {
  readonly registry: Registry;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  readonly sets: PolicySets;
  agentGroupsOf(agent: Agent): readonly string[];
  /** Policies that read the context or are in shadow mode, as far as they can apply to the action. */
  notable(action: ActionOf): readonly CompiledPolicy[];
}

export function rulesOf(registry: Registry, groups: Groups, { policies, sets }: CompiledPolicies): Rules {
  const notable = [...policies.values()].filter(({ shadow, reads }) => shadow || reads.input || reads.now || reads.agent);
  const byAction = new Map<string, readonly CompiledPolicy[]>();
  const index = (of: ActionOf): void =>
    void byAction.set(
      of.action,
      notable.filter(({ json }) => actionInScope(json, of)),
    );
  for (const action of Object.values(ACTIONS)) index({ action, actionGroup: undefined });
  for (const [server, { catalogue }] of registry) {
    for (const tool of catalogue?.keys() ?? []) index({ action: memberId(server, tool), actionGroup: ACTIONS.callTool });
  }
  return {
    registry,
    policies,
    sets,
    agentGroupsOf: (agent) => groups.agents.get(agentId(agent)) ?? [],
    notable: ({ action }) => byAction.get(action) ?? notable,
  };
}
