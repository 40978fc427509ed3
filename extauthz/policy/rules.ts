import type { Agent } from '../api/principal.ts';
import type { CompiledPolicies, CompiledPolicy } from './compile.ts';
import { agentId, type Groups } from './groups.ts';
import type { PolicySets } from './preparsed.ts';
import type { Registry } from './registry.ts';
import { actionInScope } from './scope.ts';
import { ACTIONS, memberId, type Target } from './vocabulary.ts';

/** Must not throw. */
export type OnFault = (cause: unknown) => void;

type ActionOf = Pick<Target, 'action' | 'actionGroup'>;

/** All that deciding needs of one bundle. Immutable. */
export interface Rules {
  readonly registry: Registry;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  readonly sets: PolicySets;
  /** Told what made an evaluation fail; the answer is a deny by then. */
  readonly onFault: OnFault;
  agentGroupsOf(agent: Agent): readonly string[];
  /** Policies that read the context or are in shadow mode, as far as they can apply to the action. */
  notable(action: ActionOf): readonly CompiledPolicy[];
}

export function rulesOf(registry: Registry, groups: Groups, { policies, sets }: CompiledPolicies, onFault: OnFault): Rules {
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
    onFault,
    agentGroupsOf: (agent) => groups.agents.get(agentId(agent)) ?? [],
    notable: ({ action }) => byAction.get(action) ?? notable,
  };
}
