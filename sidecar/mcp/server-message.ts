import { findMember, ROOT } from '../../extauthz/api/json-members.ts';
import { utf8Text } from '../../extauthz/api/json-structure.ts';
import { ProtocolKeys } from '../../extauthz/api/protocol-keys.ts';
import type { ListRead } from './list-filter.ts';

/** What a server's message wants of the client, beyond the lists that it may carry. */
export type ServerMessage =
  /** `idJson` is the id exactly as it was sent. */
  | { readonly kind: 'request'; readonly method: string; readonly idJson: string }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Readonly<Record<string, unknown>> }
  /** `asks`: methods of the requests in an `input_required` result (2026-07-28, multi round-trip requests); undefined when they cannot be told. */
  | {
      readonly kind: 'response';
      readonly isError: boolean;
      readonly idJson: string | undefined;
      readonly asks: readonly string[] | undefined;
    };

/** Keys that govern; some clients take them in any case. */
const RESULT_KEYS = new ProtocolKeys(['inputRequests', 'resultType', 'requestState']);
const PARAMS_KEYS = new ProtocolKeys(['uri']);
const ASK_KEYS = new ProtocolKeys(['method']);
const MAX_METHOD_LENGTH = 256;
const URL_ELICITATION_REQUIRED = -32042;

/** Sorts out a message that `readList` has read. Undefined when it is a call whose parts do not fit together. */
export function serverMessage({ envelope, text, result }: ListRead): ServerMessage | undefined {
  const id = findMember(text, ROOT, 'id');
  const idJson = id === undefined ? undefined : utf8Text(text.bytes.subarray(id.value.start, id.value.end));
  if (!('method' in envelope)) {
    const inResult = RESULT_KEYS.variantIn(result) === undefined ? asksOf(result['inputRequests']) : undefined;
    const asks = inResult === undefined ? undefined : [...inResult, ...asksOfError(envelope['error'])];
    return { kind: 'response', isError: 'error' in envelope, idJson, asks };
  }
  const { method, params } = envelope;
  if (typeof method !== 'string' || method.length > MAX_METHOD_LENGTH) return undefined;
  if (idJson !== undefined) return { kind: 'request', method, idJson };
  if (!isObject(params)) return { kind: 'notification', method, params: {} };
  return PARAMS_KEYS.variantIn(params) === undefined ? { kind: 'notification', method, params } : undefined;
}

/** Revision 2025-11-25 has an error that makes clients open a page of the server's choice: elicitation by another name. */
function asksOfError(error: unknown): readonly string[] {
  return isObject(error) && error['code'] === URL_ELICITATION_REQUIRED ? ['elicitation/create'] : [];
}

function asksOf(inputRequests: unknown): readonly string[] | undefined {
  if (inputRequests === undefined) return [];
  if (!isObject(inputRequests)) return undefined;
  const methods = Object.values(inputRequests).map((request) =>
    isObject(request) && ASK_KEYS.variantIn(request) === undefined ? request['method'] : undefined,
  );
  return methods.every((method) => typeof method === 'string' && method.length <= MAX_METHOD_LENGTH) ? (methods as string[]) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
