import type { JsonFault } from './json-fault.ts';
import type { Result } from './result.ts';
import { parseStrictJson, type StrictJson } from './strict-json.ts';

const parsed = new WeakMap<Uint8Array, Result<StrictJson, JsonFault>>();

/** `parseStrictJson` of a message's `params`, once for the same bytes: who is asked, and what the arguments are, is read in two places. */
export function parseParams(bytes: Uint8Array): Result<StrictJson, JsonFault> {
  let result = parsed.get(bytes);
  if (result === undefined) {
    result = parseStrictJson(bytes);
    parsed.set(bytes, result);
  }
  return result;
}
