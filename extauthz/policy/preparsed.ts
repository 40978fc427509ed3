import cedar, { type AuthorizationAnswer, type PolicyId, type PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { CedarRequest } from './request.ts';

/** The policy sets of one bundle, as Cedar's evaluator takes them. */
export interface PolicySets {
  readonly enforced: PolicySet;
  readonly shadow: PolicySet;
  /** The enforced policies with everything about arguments decided in favour of showing. */
  readonly visible: PolicySet;
}
export type PolicySet = Readonly<Record<PolicyId, PolicyJson | string>>;
export type PolicySetKind = keyof PolicySets;

const KINDS = ['enforced', 'shadow', 'visible'] as const satisfies readonly PolicySetKind[];

interface Slot {
  readonly name: 'A' | 'B';
  owner: PolicySets | undefined;
  lastUse: number;
}

/*
 * Cedar keeps parsed policy sets by id inside the wasm and never frees an id, so a new id for each revision would leak. Two slots with
 * fixed ids are all there is, for the whole thread, because the wasm's table is one for the whole thread too.
 */
const slots: readonly [Slot, Slot] = [
  { name: 'A', owner: undefined, lastUse: 0 },
  { name: 'B', owner: undefined, lastUse: 0 },
];
let uses = 0;

/**
 * Asks Cedar, under the policy set of that kind.
 *
 * Whoever still holds a bundle whose slot was given to another one keeps getting its own answers: the sets are parsed again first, into
 * the slot that was not used last. That costs milliseconds, and happens only when three bundles are in use at once.
 * Throws when the sets cannot be parsed or Cedar fails.
 */
export function authorize(sets: PolicySets, kind: PolicySetKind, request: CedarRequest): AuthorizationAnswer {
  return cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: idOf(slotOf(sets), kind) });
}

/** Parses the sets into a slot now rather than at the first question. */
export function prepare(sets: PolicySets): void {
  slotOf(sets);
}

function slotOf(sets: PolicySets): Slot {
  const [a, b] = slots;
  const slot = a.owner === sets ? a : b.owner === sets ? b : occupy(a.lastUse <= b.lastUse ? a : b, sets);
  uses += 1;
  slot.lastUse = uses;
  return slot;
}

function occupy(slot: Slot, sets: PolicySets): Slot {
  // Until all three are parsed the slot belongs to nobody: a half-replaced slot must not answer for either bundle.
  slot.owner = undefined;
  for (const kind of KINDS) {
    const answer = cedar.preparsePolicySet(idOf(slot, kind), { staticPolicies: sets[kind] });
    if (answer.type === 'failure') throw new Error(`cannot parse the ${kind} policies: ${answer.errors[0]?.message}`);
  }
  slot.owner = sets;
  return slot;
}

function idOf(slot: Slot, kind: PolicySetKind): string {
  return `${slot.name}/${kind}`;
}
