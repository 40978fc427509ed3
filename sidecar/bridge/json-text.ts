import { type MarkedText, members, type NamedMember, ROOT } from '../../extauthz/api/json-members.ts';
import { utf8Text } from '../../extauthz/api/json-structure.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * What becomes of members of an object: a text is the member's new JSON, `null` takes the member away, an object changes what is inside.
 * A member that is not there is added.
 */
export interface Changes {
  readonly [name: string]: string | null | Changes;
}

/** Down to the members of the requests in `result.inputRequests`. */
const MARK_DEPTH = 4;

/** A JSON object that is rewritten in places; everything else stays as it was sent, byte for byte. */
export class JsonText {
  readonly value: JsonObject;
  readonly #text: MarkedText;

  private constructor(value: JsonObject, text: MarkedText) {
    this.value = value;
    this.#text = text;
  }

  /** Fails with a phrase that holds nothing from the text. */
  static read(bytes: Uint8Array): Result<JsonText, string> {
    const document = parseStrictDocument(bytes, MARK_DEPTH, { loneSurrogates: true });
    if (!document.ok) return fail(document.failure.detail);
    const { value, structure } = document.value;
    return isObject(value) ? ok(new JsonText(value, { bytes, marks: structure.marks })) : fail('not a JSON object');
  }

  get bytes(): Uint8Array {
    return this.#text.bytes;
  }

  /** A member as it was written, by the names that lead to it; undefined when there is none. At most four names. */
  written(...path: readonly string[]): string | undefined {
    const member = this.#find(path);
    return member && utf8Text(this.#text.bytes.subarray(member.value.start, member.value.end));
  }

  /** The value of a member. Numbers may be rounded. */
  at(...path: readonly string[]): unknown {
    let value: unknown = this.value;
    for (const name of path) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return value;
  }

  /** The object at this place; undefined for anything else. */
  objectAt(...path: readonly string[]): JsonObject | undefined {
    const value = this.at(...path);
    return isObject(value) ? value : undefined;
  }

  with(changes: Changes): Uint8Array {
    return Buffer.concat(this.#render(ROOT, changes));
  }

  #find(path: readonly string[]): NamedMember | undefined {
    let open = ROOT;
    let found: NamedMember | undefined;
    for (const [depth, name] of path.entries()) {
      if (this.objectAt(...path.slice(0, depth)) === undefined) return undefined;
      found = members(this.#text, open).find((member) => member.name === name);
      if (found === undefined) return undefined;
      open = found.open;
    }
    return found;
  }

  #render(open: number, changes: Changes): Uint8Array[] {
    const { bytes } = this.#text;
    const present = members(this.#text, open);
    const names = new Set(present.map(({ name }) => name));
    const rendered: Uint8Array[][] = [];
    for (const { name, region, value, open: inner } of present) {
      const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
      if (change === null) continue;
      const key = bytes.subarray(region.start, value.start);
      if (change === undefined) rendered.push([bytes.subarray(region.start, region.end)]);
      else if (typeof change === 'string') rendered.push([key, Buffer.from(change)]);
      else if (bytes[value.start] === 0x7b) rendered.push([key, ...this.#render(inner, change)]);
      else rendered.push([key, Buffer.from(written(change))]);
    }
    for (const [name, change] of Object.entries(changes)) {
      if (change === null || names.has(name)) continue;
      rendered.push([Buffer.from(`${JSON.stringify(name)}:${typeof change === 'string' ? change : written(change)}`)]);
    }
    const separated = rendered.flatMap((member, index) => (index === 0 ? member : [Buffer.from(','), ...member]));
    return [Buffer.from('{'), ...separated, Buffer.from('}')];
  }
}

/** An object of its own, with what the changes add. */
export function written(changes: Changes): string {
  const added = Object.entries(changes).flatMap(([name, change]) =>
    change === null ? [] : [`${JSON.stringify(name)}:${typeof change === 'string' ? change : written(change)}`],
  );
  return `{${added.join(',')}}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
