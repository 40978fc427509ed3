import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { fieldValues, type RawFields } from './header-fields.ts';

/** What the body of a modern message says, as far as headers repeat it. */
export interface Mirrored {
  /** `_meta` protocol version; undefined when the message carries none. */
  readonly protocolVersion: string | undefined;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>> | undefined;
  /** Whether the headers must be there: so it is for requests of a revision that we know. */
  readonly required: boolean;
}

/** What `Mcp-Name` repeats, by method (SEP-2243; SEP-2663 for tasks). */
const NAME_PARAMETER: ReadonlyMap<string, 'name' | 'uri' | 'taskId'> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/**
 * Checks `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` against the body, as 2026-07-28 demands of everybody who reads the body
 * (Streamable HTTP, "Standard Request Headers"): upstream routes and filters may go by the headers, and we decide by the body.
 * Fails with a sentence that names the header.
 */
export function checkStandardHeaders(fields: RawFields, mirrored: Mirrored): Result<undefined, string> {
  const { method, params, protocolVersion, required } = mirrored;
  return (
    mismatch(fields, 'MCP-Protocol-Version', protocolVersion, required, (value) => value) ??
    mismatch(fields, 'Mcp-Method', method, required, (value) => value) ??
    nameMismatch(fields, method, params, required) ??
    ok(undefined)
  );
}

function nameMismatch(fields: RawFields, method: string, params: Mirrored['params'], required: boolean): Result<never, string> | undefined {
  const parameter = NAME_PARAMETER.get(method);
  if (parameter === undefined) return undefined;
  const name = params?.[parameter];
  return mismatch(fields, 'Mcp-Name', typeof name === 'string' ? name : undefined, required, decodeHeaderValue);
}

/** `expected` undefined: the body has nothing that the header could repeat, so a header that is there contradicts it. */
function mismatch(
  fields: RawFields,
  name: string,
  expected: string | undefined,
  required: boolean,
  decode: (value: string) => string | undefined,
): Result<never, string> | undefined {
  const values = fieldValues(fields, name.toLowerCase());
  if (values.length > 1) return fail(`the ${name} header is sent more than once`);
  const [value] = values;
  if (value === undefined) return required && expected !== undefined ? fail(`the ${name} header is missing`) : undefined;
  return decode(value) === expected && expected !== undefined ? undefined : fail(`the ${name} header does not agree with the body`);
}

/** The parameter that `Mcp-Name` repeats for a method, if any. */
export function nameParameter(method: string): 'name' | 'uri' | 'taskId' | undefined {
  return NAME_PARAMETER.get(method);
}

/** The text as an `Mcp-Name` or `Mcp-Param-*` header carries it: what `decodeHeaderValue` reads back. */
export function encodeHeaderValue(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !ENCODED_MARKERS.test(text);
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

const ENCODED = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;
const ENCODED_MARKERS = /^=\?base64\?.*\?=$/s;

/**
 * The text that an `Mcp-Name` or `Mcp-Param-*` header stands for: what lies between the markers `=?base64?` and `?=` is UTF-8 in
 * base64 (SEP-2243); anything else stands for itself. Undefined when the encoding is broken.
 */
export function decodeHeaderValue(value: string): string | undefined {
  if (!ENCODED_MARKERS.test(value)) return value;
  const [, encoded] = ENCODED.exec(value) ?? [];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const text = bytes.toString('utf8');
  // Bytes that are not UTF-8 come back changed.
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}
