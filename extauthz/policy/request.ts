import type { CedarValueJson, Context, EntityJson, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs';
import type { Principal } from '../api/principal.ts';
import { agentId } from './groups.ts';
import type { Reads } from './reads.ts';
import type { Target } from './vocabulary.ts';

export type CedarRequest = Omit<StatefulAuthorizationCall, 'preparsedPolicySetId'>;

/** Who asks about what, in Cedar's terms, with the groups both belong to. */
export interface Subject {
  readonly principal: Principal;
  readonly agentGroups: readonly string[];
  readonly server: string;
  readonly target: Target;
}

/**
 * Builds what Cedar is asked: the smallest set of entities, and of the context only what policies in scope read (each part costs time,
 * and what is not there cannot influence a decision that claims not to depend on it). Should a policy read more after all, it errs,
 * and errors deny.
 *
 * Every name goes in as a JSON value and never becomes part of Cedar source.
 */
export function requestFor(subject: Subject, reads: Reads, nowMs: number, input: CedarValueJson | undefined): CedarRequest {
  const { principal, server, target } = subject;
  const { user } = principal;
  const context: Context = {};
  const entities: EntityJson[] = [
    {
      uid: { type: 'User', id: user.id },
      attrs: { subject: user.subject, issuer: user.issuer },
      parents: user.groups.map(groupUid),
    },
  ];
  if (target.resource.type !== 'Server') {
    entities.push({ uid: target.resource, attrs: { ...target.attributes }, parents: [{ type: 'Server', id: server }] });
  }
  const action = { type: 'Action', id: target.action };
  if (target.actionGroup !== undefined) entities.push({ uid: action, attrs: {}, parents: [{ type: 'Action', id: target.actionGroup }] });
  if (reads.agent) {
    const { namespace, serviceAccount } = principal.agent;
    const uid = { type: 'Agent', id: agentId(principal.agent) };
    entities.push({ uid, attrs: { namespace, serviceAccount }, parents: subject.agentGroups.map(groupUid) });
    context['agent'] = { __entity: uid };
  }
  if (reads.now) context['now'] = { __extn: { fn: 'datetime', arg: new Date(nowMs).toISOString() } };
  if (input !== undefined) context['input'] = input;
  return { principal: { type: 'User', id: user.id }, action, resource: target.resource, context, entities };
}

function groupUid(id: string): { type: string; id: string } {
  return { type: 'Group', id };
}
