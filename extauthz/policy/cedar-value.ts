import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';

/** A value as Cedar sees it. Longs are numbers as long as they are safe integers. */
export type CedarValue = string | number | boolean | EntityValue | DecimalValue | DatetimeValue | SetValue | RecordValue;

/** Stands for "Cedar must be asked": an error, or something that is not known to come out the same here. */
export class Unsure extends Error {
  override readonly name = 'Unsure';
}

/** One for all, because a stack for each would cost more than the evaluation. */
const UNSURE = new Unsure();

export function unsure(): never {
  throw UNSURE;
}

export class EntityValue {
  readonly type: string;
  readonly id: string;

  constructor(type: string, id: string) {
    this.type = type;
    this.id = id;
  }
}

export class DecimalValue {
  readonly tenThousandths: bigint;

  constructor(tenThousandths: bigint) {
    this.tenThousandths = tenThousandths;
  }
}

export class DatetimeValue {
  readonly unixMs: number;

  constructor(unixMs: number) {
    this.unixMs = unixMs;
  }
}

export class SetValue {
  readonly elements: readonly CedarValue[];
  #identities: ReadonlySet<CedarValue> | undefined;

  constructor(elements: readonly CedarValue[]) {
    this.elements = elements;
  }

  contains(value: CedarValue): boolean {
    // Agents choose how long a set is, so that strings and numbers are looked up rather than searched for.
    this.#identities ??= new Set(this.elements);
    return this.#identities.has(value) || (typeof value === 'object' && this.elements.some((element) => equal(element, value)));
  }
}

export class RecordValue {
  readonly attributes: ReadonlyMap<string, CedarValue>;

  constructor(attributes: ReadonlyMap<string, CedarValue>) {
    this.attributes = attributes;
  }
}

/** `==`. Values of different types are not equal, which is no error. */
export function equal(a: CedarValue, b: CedarValue): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof EntityValue) return b instanceof EntityValue && a.id === b.id && a.type === b.type;
  if (a instanceof DecimalValue) return b instanceof DecimalValue && a.tenThousandths === b.tenThousandths;
  if (a instanceof DatetimeValue) return b instanceof DatetimeValue && a.unixMs === b.unixMs;
  // Order and repetition do not count in a set.
  if (a instanceof SetValue) return b instanceof SetValue && includesAll(a, b) && includesAll(b, a);
  if (!(b instanceof RecordValue) || a.attributes.size !== b.attributes.size) return false;
  for (const [name, value] of a.attributes) {
    const other = b.attributes.get(name);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

export function includesAll(set: SetValue, wanted: SetValue): boolean {
  return wanted.elements.every((element) => set.contains(element));
}

/** Reads a value as it is handed to Cedar. @throws {Unsure} for kinds that are not evaluated here. */
export function fromJson(json: CedarValueJson): CedarValue {
  switch (typeof json) {
    case 'string':
      return json.isWellFormed() ? json : unsure();
    case 'boolean':
      return json;
    case 'number':
      return Number.isSafeInteger(json) ? json : unsure();
  }
  if (json === null) return unsure();
  if (Array.isArray(json)) return new SetValue(json.map(fromJson));
  // The conversion of arguments refuses these names, so that what has one was made by us.
  if (Object.hasOwn(json, '__entity')) {
    const { type, id } = (json as { __entity: { type: string; id: string } }).__entity;
    return new EntityValue(type, id);
  }
  if (Object.hasOwn(json, '__extn')) {
    const { fn, arg } = (json as { __extn: { fn: string; arg: CedarValueJson } }).__extn;
    return extensionValue(fn, arg);
  }
  return new RecordValue(new Map(Object.entries(json).map(([name, value]) => [name, fromJson(value)])));
}

const DECIMAL = /^-?\d{1,15}\.\d{1,4}$/;
/** A decimal is a signed 64-bit count of ten-thousandths; Cedar errs at one that is beyond it. */
const MAX_TEN_THOUSANDTHS = 2n ** 63n - 1n;
const DATETIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z)?$/;

/** `decimal("1.5")` and `datetime("2026-01-31T12:00:00Z")`, in their usual spellings. @throws {Unsure} for others. */
export function extensionValue(name: string, text: unknown): DecimalValue | DatetimeValue {
  if (typeof text !== 'string') return unsure();
  if (name === 'decimal' && DECIMAL.test(text)) {
    const point = text.indexOf('.');
    const tenThousandths = BigInt(text.slice(0, point) + text.slice(point + 1).padEnd(4, '0'));
    const isHeld = tenThousandths <= MAX_TEN_THOUSANDTHS && tenThousandths >= -MAX_TEN_THOUSANDTHS;
    return isHeld ? new DecimalValue(tenThousandths) : unsure();
  }
  if (name === 'datetime' && DATETIME.test(text)) {
    const unixMs = Date.parse(text);
    // JavaScript takes the 30th of February for the 2nd of March.
    if (!Number.isNaN(unixMs) && new Date(unixMs).toISOString().startsWith(text.replace(/Z$/, ''))) return new DatetimeValue(unixMs);
  }
  return unsure();
}
