import type { EntityUidJson, PolicyJson, PrincipalOrResourceInConstraint, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';

/** A request as far as a policy's scope (`principal`, `action` and `resource` in its head) looks at it. */
export interface ScopedRequest {
  readonly user: string;
  readonly groups: readonly string[];
  readonly server: string;
  readonly action: string;
  readonly actionGroup: string | undefined;
  readonly resource: TypeAndId;
}

/**
 * Whether the policy's scope lets it apply to the request. Exact for the vocabulary of the schema; where a scope says something else,
 * the answer is yes, because saying no would call a decision independent of what it may have read.
 */
export function inScope(policy: PolicyJson, request: ScopedRequest): boolean {
  return actionInScope(policy, request) && principalInScope(policy, request) && resourceInScope(policy, request);
}

export function actionInScope(policy: PolicyJson, request: Pick<ScopedRequest, 'action' | 'actionGroup'>): boolean {
  const { action } = policy;
  const names = (uid: EntityUidJson): boolean => idOf(uid).id === request.action;
  const holds = (uid: EntityUidJson): boolean => names(uid) || idOf(uid).id === request.actionGroup;
  switch (action.op) {
    case 'All':
      return true;
    case '==':
      return 'entity' in action ? names(action.entity) : true;
    case 'in':
      return 'entities' in action ? action.entities.some(holds) : holds(action.entity);
  }
}

function principalInScope({ principal }: PolicyJson, { user, groups }: ScopedRequest): boolean {
  const self = { type: 'User', id: user };
  const holds = (ancestor: TypeAndId): boolean => same(ancestor, self) || (ancestor.type === 'Group' && groups.includes(ancestor.id));
  return entityInScope(principal, self, holds);
}

function resourceInScope({ resource }: PolicyJson, { resource: self, server }: ScopedRequest): boolean {
  const holds = (ancestor: TypeAndId): boolean => same(ancestor, self) || same(ancestor, { type: 'Server', id: server });
  return entityInScope(resource, self, holds);
}

function entityInScope(
  constraint: PolicyJson['principal'] | PolicyJson['resource'],
  self: TypeAndId,
  holds: (ancestor: TypeAndId) => boolean,
): boolean {
  const holdsIn = (ancestor: PrincipalOrResourceInConstraint): boolean => ('entity' in ancestor ? holds(idOf(ancestor.entity)) : true);
  switch (constraint.op) {
    case 'All':
      return true;
    case '==':
      return 'entity' in constraint ? same(idOf(constraint.entity), self) : true;
    case 'in':
      return holdsIn(constraint);
    case 'is':
      return constraint.entity_type === self.type && (constraint.in === undefined || holdsIn(constraint.in));
  }
}

function idOf(uid: EntityUidJson): TypeAndId {
  return '__entity' in uid ? uid.__entity : uid;
}

function same(a: TypeAndId, b: TypeAndId): boolean {
  return a.type === b.type && a.id === b.id;
}
