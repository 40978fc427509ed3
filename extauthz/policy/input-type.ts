import type { TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs';

/** What policy can read of a JSON value. It directs both the Cedar schema and the conversion of arguments, so the two cannot differ. */
export type InputType =
  | { readonly kind: 'string' }
  | { readonly kind: 'long' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'decimal' }
  | { readonly kind: 'set'; readonly element: InputType }
  | RecordType;

export interface RecordType {
  readonly kind: 'record';
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Every property the JSON schema declares, also those that policy cannot read. */
  readonly declared: ReadonlySet<string>;
  /** `additionalProperties: false`: an undeclared property is an error. */
  readonly closed: boolean;
}

export interface Attribute {
  readonly type: InputType;
  /** False when the property may be absent or null; a policy then has to test with `has`. */
  readonly required: boolean;
  /** JSON null stands for an absent value. */
  readonly nullable: boolean;
}

/** Keys that turn a JSON object into an entity or extension value when Cedar reads it, and Cedar's own reserved name. */
export const RESERVED_KEYS: ReadonlySet<string> = new Set(['__cedar', '__entity', '__extn', '__expr']);

const MAX_DEPTH = 16;
/** Bounds what a schema may expand to: `$ref`s that each name the next one twice double at every step. */
const MAX_NODES = 5_000;

type JsonObject = Readonly<Record<string, unknown>>;
interface Typed {
  readonly type: InputType;
  readonly nullable: boolean;
}

/**
 * Reads a tool's `inputSchema` (JSON Schema 2020-12 or draft 7) as far as Cedar's types reach:
 * string -> String, integer -> Long, boolean -> Bool, number -> decimal, object with properties -> Record, array of one typed item -> Set.
 *
 * Anything else (untyped, mixed `anyOf`, tuples, recursion, a `$ref` that leads nowhere) is left out, so that no policy can read it.
 * Returns undefined when the schema as a whole is no such object, or too large.
 */
export function inputTypeOf(inputSchema: unknown): RecordType | undefined {
  const reader = new SchemaReader(inputSchema);
  const typed = reader.read(inputSchema, new Set(), 0);
  return reader.exhausted || typed?.type.kind !== 'record' ? undefined : typed.type;
}

class SchemaReader {
  #nodes = 0;
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  get exhausted(): boolean {
    return this.#nodes > MAX_NODES;
  }

  /** `open` holds the schemas being read: meeting one again is recursion. */
  read(schema: unknown, open: ReadonlySet<unknown>, depth: number): Typed | undefined {
    this.#nodes += 1;
    if (!isObject(schema) || open.has(schema) || depth > MAX_DEPTH || this.exhausted) return undefined;
    const inside = new Set(open).add(schema);

    const reference = own(schema, '$ref');
    if (reference !== undefined) return this.read(this.#resolve(reference), inside, depth + 1);

    const { name, nullable } = typeName(schema);
    switch (name) {
      case 'string':
        return { type: { kind: 'string' }, nullable };
      case 'integer':
        return { type: { kind: 'long' }, nullable };
      case 'boolean':
        return { type: { kind: 'boolean' }, nullable };
      case 'number':
        return { type: { kind: 'decimal' }, nullable };
      case 'array':
        return this.#array(schema, nullable, inside, depth);
      case 'object':
        return this.#object(schema, nullable, inside, depth);
      default:
        return this.#alternatives(schema, inside, depth);
    }
  }

  #array(schema: JsonObject, nullable: boolean, open: ReadonlySet<unknown>, depth: number): Typed | undefined {
    if (own(schema, 'prefixItems') !== undefined) return undefined;
    const element = this.read(own(schema, 'items'), open, depth + 1);
    return element === undefined || element.nullable ? undefined : { type: { kind: 'set', element: element.type }, nullable };
  }

  #object(schema: JsonObject, nullable: boolean, open: ReadonlySet<unknown>, depth: number): Typed | undefined {
    // A tool without arguments declares no properties; further down, such an object is a map of whatever keys the caller likes.
    const properties = own(schema, 'properties') ?? (depth === 0 ? {} : undefined);
    if (!isObject(properties)) return undefined;
    const listed = own(schema, 'required');
    const required: ReadonlySet<unknown> = new Set(Array.isArray(listed) ? listed : []);
    const attributes = new Map<string, Attribute>();
    for (const [name, property] of Object.entries(properties)) {
      const typed = RESERVED_KEYS.has(name) || !name.isWellFormed() ? undefined : this.read(property, open, depth + 1);
      if (typed !== undefined) attributes.set(name, { ...typed, required: required.has(name) && !typed.nullable });
    }
    const closed = own(schema, 'additionalProperties') === false && own(schema, 'patternProperties') === undefined;
    return { type: { kind: 'record', attributes, declared: new Set(Object.keys(properties)), closed }, nullable };
  }

  /** `anyOf`, `oneOf` or `allOf` that says one type, perhaps or null: the way generators write an optional value. */
  #alternatives(schema: JsonObject, open: ReadonlySet<unknown>, depth: number): Typed | undefined {
    const keywords = ['anyOf', 'oneOf', 'allOf'].filter((keyword) => own(schema, keyword) !== undefined);
    const members = keywords.length === 1 ? own(schema, keywords[0] as string) : undefined;
    if (!Array.isArray(members)) return undefined;
    const others = members.filter((member) => !(isObject(member) && own(member, 'type') === 'null'));
    if (others.length !== 1) return undefined;
    const typed = this.read(others[0], open, depth + 1);
    return typed === undefined ? undefined : { type: typed.type, nullable: typed.nullable || others.length < members.length };
  }

  /** Follows a JSON pointer inside the same schema (RFC 6901, as a URI fragment). */
  #resolve(reference: unknown): unknown {
    if (typeof reference !== 'string' || !reference.startsWith('#/')) return undefined;
    let place: unknown = this.#root;
    for (const step of reference.slice(2).split('/')) {
      if (!isObject(place)) return undefined;
      place = own(place, unescaped(step));
    }
    return place;
  }
}

function unescaped(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return step;
  }
}

/** The one JSON type a schema names, by `type` or by the values of `enum` or `const`, and whether null is one more. */
function typeName(schema: JsonObject): { name: string | undefined; nullable: boolean } {
  const declared = own(schema, 'type');
  const constant = own(schema, 'const');
  const listed = own(schema, 'enum');
  const values = Array.isArray(listed) ? listed : constant === undefined ? [] : [constant];
  const names = declared === undefined ? values.map(typeOfValue) : Array.isArray(declared) ? declared : [declared];
  const others = new Set(names.filter((name) => name !== 'null'));
  const [only] = others;
  const nullable = names.includes('null') || own(schema, 'nullable') === true;
  return { name: others.size === 1 && typeof only === 'string' ? only : undefined, nullable };
}

function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

/** The same type in the words of a Cedar schema (JSON form). */
export function cedarTypeOf(type: InputType): TypeOfAttribute<string> {
  switch (type.kind) {
    case 'string':
      return { type: 'String' };
    case 'long':
      return { type: 'Long' };
    case 'boolean':
      return { type: 'Boolean' };
    case 'decimal':
      return { type: 'Extension', name: 'decimal' };
    case 'set':
      return { type: 'Set', element: cedarTypeOf(type.element) };
    case 'record':
      return {
        type: 'Record',
        attributes: Object.fromEntries(
          [...type.attributes].map(([name, { type: inner, required }]) => [name, { ...cedarTypeOf(inner), required }]),
        ),
      };
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Only own properties: a schema from a server must not reach what every object inherits. */
function own(value: JsonObject, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
