import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { JsonText } from './json-text.ts';

/** One JSON-RPC message of either side. */
export interface Message {
  readonly kind: 'request' | 'notification' | 'response';
  readonly json: JsonText;
  /** Empty for a response. */
  readonly method: string;
  /** The id as it was sent. Undefined for a notification, and for an error that answers nothing that could be read. */
  readonly idJson: string | undefined;
}

/** Reads a message. Fails with a phrase that holds nothing from it. */
export function readMessage(bytes: Uint8Array): Result<Message, string> {
  const read = JsonText.read(bytes);
  if (!read.ok) return read;
  const json = read.value;
  const { value } = json;
  if (value['jsonrpc'] !== '2.0') return fail('not a JSON-RPC 2.0 message');
  const { method, id } = value;
  const hasId = typeof id === 'string' || typeof id === 'number';
  const idJson = hasId ? json.written('id') : undefined;
  if ('method' in value) {
    if (typeof method !== 'string' || 'result' in value || 'error' in value) return fail('neither a call nor a response');
    if ('id' in value && !hasId) return fail('an id that is neither a string nor a number');
    return ok({ kind: hasId ? 'request' : 'notification', json, method, idJson });
  }
  if ('result' in value === 'error' in value) return fail('neither a call nor a response');
  if (!hasId && 'result' in value) return fail('a result without an id');
  const outcome = json.objectAt('result') ?? json.objectAt('error');
  return outcome === undefined ? fail('a result or error that is no object') : ok({ kind: 'response', json, method: '', idJson });
}

/** Whether two ids are one: numbers as they are written, strings by their characters. */
export function isSameId(a: string, b: string): boolean {
  return a === b || (a.startsWith('"') && b.startsWith('"') && JSON.parse(a) === JSON.parse(b));
}

/** A JSON-RPC error response. */
export function errorResponse(idJson: string, code: number, message: string, data?: unknown): Uint8Array {
  return Buffer.from(
    `{"jsonrpc":"2.0","id":${idJson},"error":${JSON.stringify({ code, message, ...(data === undefined ? {} : { data }) })}}`,
  );
}

/** A JSON-RPC result response. @param resultJson the result as JSON */
export function resultResponse(idJson: string, resultJson: string): Uint8Array {
  return Buffer.from(`{"jsonrpc":"2.0","id":${idJson},"result":${resultJson}}`);
}
