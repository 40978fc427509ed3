import { findMember, ROOT } from '../../extauthz/api/json-members.ts';
import { utf8Text } from '../../extauthz/api/json-structure.ts';
import type { ListRead } from './list-filter.ts';

/** What a server's message wants of the client, beyond the lists that it may carry. */
export type ServerMessage =
  /** `idJson` is the id exactly as it was sent. */
  | { readonly kind: 'request'; readonly method: string; readonly idJson: string }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Readonly<Record<string, unknown>> }
  /** `asks`: methods of the requests in an `input_required` result (2026-07-28, multi round-trip requests); undefined when they cannot be told. */
  | { readonly kind: 'response'; readonly asks: readonly string[] | undefined };

/** Sorts out a message that `readList` has read. Undefined when it is a call whose parts do not fit together. */
export function serverMessage({ envelope, text, result }: ListRead): ServerMessage | undefined {
  if (!('method' in envelope)) return { kind: 'response', asks: asksOf(result['inputRequests']) };
  const { method, params } = envelope;
  if (typeof method !== 'string') return undefined;
  if (!('id' in envelope)) return { kind: 'notification', method, params: isObject(params) ? params : {} };
  const id = findMember(text, ROOT, 'id');
  if (id === undefined) return undefined;
  return { kind: 'request', method, idJson: utf8Text(text.bytes.subarray(id.value.start, id.value.end)) };
}

function asksOf(inputRequests: unknown): readonly string[] | undefined {
  if (inputRequests === undefined) return [];
  if (!isObject(inputRequests)) return undefined;
  const methods = Object.values(inputRequests).map((request) => (isObject(request) ? request['method'] : undefined));
  return methods.every((method) => typeof method === 'string') ? methods : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
