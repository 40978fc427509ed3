import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { fieldValues, type RawFields } from './header-fields.ts';
import { decodeHeaderValue, encodeHeaderValue } from './standard-headers.ts';

/** An argument that an `Mcp-Param-*` field repeats, as the tool's input schema declares it with `x-mcp-header` (SEP-2243). */
export interface ParamHeader {
  /** The field's name in lower case, for example `mcp-param-region`. */
  readonly field: string;
  /** Keys that lead from `arguments` to the value. */
  readonly path: readonly string[];
  readonly isInteger: boolean;
}

type JsonObject = Readonly<Record<string, unknown>>;

const ANNOTATION = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);
const DECIMAL = /^-?[0-9]+(?:\.[0-9]+)?$/;

/**
 * The declarations in a tool's input schema. None when any of them is not as it must be (another place than a chain of `properties`, another type,
 * a name that is no token or is used twice): such a tool is its server's to judge.
 */
export function paramHeadersOf(inputSchema: unknown): readonly ParamHeader[] {
  const found: ParamHeader[] = [];
  const isValid = collect(inputSchema, [], found);
  const isUnique = new Set(found.map(({ field }) => field)).size === found.length;
  return isValid && isUnique && countAnnotations(inputSchema) === found.length ? found : [];
}

/** Holds the fields against the arguments: every declared one that has a value must be there once, and say the same. */
export function checkParamHeaders(fields: RawFields, declared: readonly ParamHeader[], args: unknown): Result<undefined, string> {
  for (const { field, path, isInteger } of declared) {
    const expected = textOf(valueAt(args, path));
    // Absent, null, or nothing that a field could repeat: no field is expected, and servers ignore one.
    if (expected === undefined) continue;
    const values = fieldValues(fields, field);
    if (values.length !== 1) return fail(`the ${field} header is ${values.length === 0 ? 'missing' : 'sent more than once'}`);
    const said = decodeHeaderValue(values[0] as string);
    const isSame = said === expected || (isInteger && said !== undefined && isSameNumber(said, expected));
    if (!isSame) return fail(`the ${field} header does not agree with the body`);
  }
  return ok(undefined);
}

/** The fields that repeat the arguments of a call. */
export function paramFields(declared: readonly ParamHeader[], args: unknown): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { field, path } of declared) {
    const text = textOf(valueAt(args, path));
    if (text !== undefined) fields[field] = encodeHeaderValue(text);
  }
  return fields;
}

function collect(schema: unknown, path: readonly string[], found: ParamHeader[]): boolean {
  if (!isObject(schema)) return true;
  if (Object.hasOwn(schema, ANNOTATION)) {
    const name = schema[ANNOTATION];
    if (path.length === 0 || typeof name !== 'string' || !TOKEN.test(name) || !TYPES.has(schema['type'])) return false;
    found.push({ field: `mcp-param-${name.toLowerCase()}`, path, isInteger: schema['type'] === 'integer' });
  }
  const { properties } = schema;
  return !isObject(properties) || Object.entries(properties).every(([key, property]) => collect(property, [...path, key], found));
}

/** Wherever they are, so that one in another place than `collect` looks at is noticed. */
function countAnnotations(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = !Array.isArray(value) && Object.hasOwn(value, ANNOTATION) ? 1 : 0;
  for (const member of Object.values(value)) count += countAnnotations(member);
  return count;
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value = args;
  for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

/** How a field writes the value; undefined for what it does not repeat, among it integers that parsers read differently. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? String(value) : undefined;
}

/** `42.0` is `42` (SEP-2243). */
function isSameNumber(said: string, expected: string): boolean {
  return DECIMAL.test(said) && DECIMAL.test(expected) && Number(said) === Number(expected);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
