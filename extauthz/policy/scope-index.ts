import type { EntityUidJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { inScope, type ScopedRequest } from './scope.ts';

/** Finds the policies whose scope lets them apply to a request, without looking at those about other actions, users or resources. */
export interface ScopeIndex<P> {
  /** Exactly the policies that `inScope` accepts, in no particular order. */
  find(request: ScopedRequest): ReadonlySet<P>;
}

/** Policies in exactly one place each: under the entity that their scope names, if it names one. */
interface Shelf<P> {
  readonly byEntity: ReadonlyMap<string, readonly P[]>;
  readonly others: readonly P[];
}

export function indexScopes<P extends { readonly json: PolicyJson }>(policies: readonly P[]): ScopeIndex<P> {
  // A policy stands under every action that it names, and under none when its scope leaves the action open.
  const byAction = new Map([...grouped(policies, actionsOf)].map(([action, named]) => [action, shelve(named)]));
  const open = shelve(policies.filter((policy) => actionsOf(policy) === undefined));
  return {
    find(request) {
      const { user, groups, resource, server, action, actionGroup } = request;
      const entities = [key('User', user), ...groups.map((group) => key('Group', group)), key('Server', server)];
      if (resource.type !== 'Server') entities.push(key(resource.type, resource.id));
      const found = new Set<P>();
      const take = (candidates: readonly P[] = []) => {
        for (const policy of candidates) if (inScope(policy.json, request)) found.add(policy);
      };
      for (const shelf of [open, byAction.get(action), actionGroup === undefined ? undefined : byAction.get(actionGroup)]) {
        if (shelf === undefined) continue;
        take(shelf.others);
        if (shelf.byEntity.size > 0) for (const entity of entities) take(shelf.byEntity.get(entity));
      }
      return found;
    },
  };
}

function shelve<P extends { readonly json: PolicyJson }>(policies: readonly P[]): Shelf<P> {
  const name = (policy: P) => namedEntity(policy.json.principal) ?? namedEntity(policy.json.resource);
  return {
    byEntity: grouped(policies, (policy) => {
      const entity = name(policy);
      return entity === undefined ? undefined : [key(uidOf(entity).type, uidOf(entity).id)];
    }),
    others: policies.filter((policy) => name(policy) === undefined),
  };
}

function grouped<P>(policies: readonly P[], keysOf: (policy: P) => readonly string[] | undefined): Map<string, P[]> {
  const groups = new Map<string, P[]>();
  for (const policy of policies) {
    for (const key of keysOf(policy) ?? []) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [policy]);
      else group.push(policy);
    }
  }
  return groups;
}

/** Ids of the actions and action groups that the scope names; undefined when it leaves the action open. */
function actionsOf({ json: { action } }: { readonly json: PolicyJson }): readonly string[] | undefined {
  if (action.op === 'in' && 'entities' in action) return action.entities.map((entity) => uidOf(entity).id);
  return action.op !== 'All' && 'entity' in action ? [uidOf(action.entity).id] : undefined;
}

/** The entity that the request's own must be, or be in. */
function namedEntity(constraint: PolicyJson['principal'] | PolicyJson['resource']): EntityUidJson | undefined {
  switch (constraint.op) {
    case 'All':
      return undefined;
    case 'is':
      return constraint.in !== undefined && 'entity' in constraint.in ? constraint.in.entity : undefined;
    default:
      return 'entity' in constraint ? constraint.entity : undefined;
  }
}

export function uidOf(uid: EntityUidJson): { readonly type: string; readonly id: string } {
  return '__entity' in uid ? uid.__entity : uid;
}

function key(type: string, id: string): string {
  return `${type}::${id}`;
}
