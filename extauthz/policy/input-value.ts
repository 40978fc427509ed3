import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { fail, ok, type Result } from '../api/result.ts';
import { type InputType, RESERVED_KEYS, type RecordType } from './input-type.ts';

/** Why a tool's arguments cannot be judged. */
export interface InputFault {
  /** The argument, for example `filter.tags[2]`; empty for the arguments as a whole. */
  readonly path: string;
  /** What is wrong with it, to follow its name: `must be a string`. */
  readonly reason: string;
}

type Converted = Result<CedarValueJson, InputFault>;

/** Cedar's decimal is a signed 64-bit count of ten-thousandths. */
const DECIMAL_DIGITS = 4;
const MAX_DECIMAL = 922_337_203_685_477;
/** Any decimal number of up to 15 significant digits survives the way through a double. */
const MAX_SIGNIFICANT_DIGITS = 15;
/** Cedar takes up to some 20 us for each value, and nothing else is decided meanwhile: arguments must not be a way to stop the service. */
const MAX_VALUES = 1_000;

interface Budget {
  valuesLeft: number;
}

/**
 * Converts arguments to the value of `context.input`, directed by the tool's input type alone.
 *
 * Arguments are the agent's JSON, so nothing of them reaches Cedar as it came: only declared properties, each checked for its type.
 * Undeclared properties are dropped, unless the schema forbids them. A number that Cedar's decimal cannot hold exactly is refused,
 * not rounded: rounding either way lets some comparison miss (down, `> 100.00` misses 100.00001; up, `< 100.00` misses 99.99999).
 */
export function convertArguments(type: RecordType, value: unknown): Converted {
  const reserved = findReservedKey(value);
  if (reserved !== undefined) return fail({ path: reserved, reason: 'has a reserved name' });
  return convert(type, value, '', { valuesLeft: MAX_VALUES });
}

function convert(type: InputType, value: unknown, path: string, budget: Budget): Converted {
  budget.valuesLeft -= 1;
  if (budget.valuesLeft < 0) return wrong(path, `is one of more than ${MAX_VALUES} values, too many to be judged`);
  switch (type.kind) {
    case 'string':
      if (typeof value !== 'string') return wrong(path, 'must be a string');
      return value.isWellFormed() ? ok(value) : wrong(path, 'must be a string of valid Unicode');
    case 'boolean':
      return typeof value === 'boolean' ? ok(value) : wrong(path, 'must be true or false');
    case 'long':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return wrong(path, 'must be an integer between -(2^53-1) and 2^53-1');
      return ok(value);
    case 'decimal':
      return convertDecimal(value, path);
    case 'set':
      return convertSet(type.element, value, path, budget);
    case 'record':
      return convertRecord(type, value, path, budget);
  }
}

function convertDecimal(value: unknown, path: string): Converted {
  if (typeof value !== 'number' || !Number.isFinite(value)) return wrong(path, 'must be a number');
  if (Math.abs(value) > MAX_DECIMAL) return wrong(path, 'must be a number that policy can hold (up to 15 digits before the point)');
  const text = value.toFixed(DECIMAL_DIGITS);
  const digits = text.replace(/\.?0+$/, '').replace(/\D/g, '');
  if (Number(text) !== value || digits.length > MAX_SIGNIFICANT_DIGITS) {
    return wrong(path, `must be a number with at most ${DECIMAL_DIGITS} decimal places`);
  }
  return ok({ __extn: { fn: 'decimal', arg: text } });
}

function convertSet(element: InputType, value: unknown, path: string, budget: Budget): Converted {
  if (!Array.isArray(value)) return wrong(path, 'must be a list');
  const items: CedarValueJson[] = [];
  for (const [index, item] of value.entries()) {
    const converted = convert(element, item, `${path}[${index}]`, budget);
    if (!converted.ok) return converted;
    items.push(converted.value);
  }
  return ok(items);
}

function convertRecord(type: RecordType, value: unknown, path: string, budget: Budget): Converted {
  if (!isObject(value)) return wrong(path, 'must be an object');
  if (type.closed) {
    const undeclared = Object.keys(value).find((name) => !type.declared.has(name));
    if (undeclared !== undefined) return wrong(join(path, undeclared), 'is not an argument of this tool');
  }
  const attributes: [string, CedarValueJson][] = [];
  for (const [name, attribute] of type.attributes) {
    const own = Object.hasOwn(value, name) ? value[name] : undefined;
    if (own === undefined || (own === null && attribute.nullable)) {
      if (attribute.required) return wrong(join(path, name), 'is required');
      continue;
    }
    const converted = convert(attribute.type, own, join(path, name), budget);
    if (!converted.ok) return converted;
    attributes.push([name, converted.value]);
  }
  return ok(Object.fromEntries(attributes)); // fromEntries defines own properties, `__proto__` included
}

/**
 * The path to a reserved key. Those are refused wherever they stand, also in properties that are dropped later: no honest caller sends one.
 * Every argument is looked at, so that the path is put together only once there is one.
 */
function findReservedKey(value: unknown): string | undefined {
  const steps: (string | number)[] = [];
  if (!leadsToReservedKey(value, steps)) return undefined;
  return steps.reduceRight<string>((path, step) => (typeof step === 'number' ? `${path}[${step}]` : join(path, step)), '');
}

/** Fills `steps` from the last to the first. */
function leadsToReservedKey(value: unknown, steps: (string | number)[]): boolean {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (typeof item === 'object' && leadsToReservedKey(item, steps)) return steps.push(index) > 0;
    }
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      if (RESERVED_KEYS.has(name) || leadsToReservedKey(value[name], steps)) return steps.push(name) > 0;
    }
  }
  return false;
}

function wrong(path: string, reason: string): Converted {
  return fail({ path, reason });
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
