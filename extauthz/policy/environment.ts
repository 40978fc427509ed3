import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type CedarValue, EntityValue, fromJson, RecordValue, unsure } from './cedar-value.ts';
import type { CedarRequest } from './request.ts';

/** What conditions are evaluated against: the request as it would go to Cedar, and nothing else. */
export class Environment {
  readonly principal: EntityValue;
  readonly action: EntityValue;
  readonly resource: EntityValue;
  readonly #request: CedarRequest;
  #context: RecordValue | undefined;

  constructor(request: CedarRequest) {
    this.#request = request;
    const entity = (uid: EntityJson['uid']) => new EntityValue(uidOf(uid).type, uidOf(uid).id);
    this.principal = entity(request.principal);
    this.action = entity(request.action);
    this.resource = entity(request.resource);
  }

  /** Read only when a policy looks at it. */
  get context(): RecordValue {
    this.#context ??= fromJson(this.#request.context) as RecordValue;
    return this.#context;
  }

  /** Undefined when there is no such attribute. @throws {Unsure} when the value has no attributes at all. */
  attributeOf(value: CedarValue, name: string): CedarValue | undefined {
    if (value instanceof RecordValue) return value.attributes.get(name);
    if (!(value instanceof EntityValue)) return unsure();
    const attributes = this.#find(value)?.attrs;
    const attribute = attributes !== undefined && Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    return attribute === undefined ? undefined : fromJson(attribute);
  }

  /** `in`: the same entity, or its parent. Nothing in a request has grandparents. */
  isIn(entity: EntityValue, ancestor: EntityValue): boolean {
    if (entity.type === ancestor.type && entity.id === ancestor.id) return true;
    const parents = this.#find(entity)?.parents ?? [];
    return parents.some((parent) => uidOf(parent).id === ancestor.id && uidOf(parent).type === ancestor.type);
  }

  #find({ type, id }: EntityValue): EntityJson | undefined {
    return this.#request.entities.find(({ uid }) => uidOf(uid).id === id && uidOf(uid).type === type);
  }
}

function uidOf(uid: EntityJson['uid']): { readonly type: string; readonly id: string } {
  return '__entity' in uid ? uid.__entity : uid;
}
