import type { HttpRequest } from '../api/envoy-protos.ts';
import { ok, type Result } from '../api/result.ts';
import { type CheckRefusal, malformed, unjudgeable } from './check-refusal.ts';
import type { HeaderFields } from './header-fields.ts';

/** What a text decoder puts where bytes are not UTF-8. */
const REPLACEMENT = '\uFFFD';
const JSON_CONTENT_TYPE = /^application\/json(?:\s*;\s*charset="?utf-8"?)?\s*$/i;

/** The body of a checked POST, when it is certain that it is whole and that the server will read the same bytes. */
export function messageBody(http: HttpRequest, headers: HeaderFields): Result<Uint8Array, CheckRefusal> {
  const partial = headers.get('x-envoy-auth-partial-body');
  if (partial !== undefined && partial !== 'false') {
    return unjudgeable(
      'the message is longer than the proxy shows the policy service; raise max_request_bytes and set allow_partial_message: false',
    );
  }
  const { body: text, rawBody } = http;
  if (text !== '' && rawBody.length > 0 && !Buffer.from(text).equals(rawBody)) return unjudgeable('the proxy sent two different bodies');
  const body = rawBody.length > 0 ? rawBody : Buffer.from(text);
  if (body.length === 0) return unjudgeable('the proxy does not show message bodies to the policy service; enable with_request_body');
  if (rawBody.length === 0 && text.includes(REPLACEMENT)) return unjudgeable('the message may not be UTF-8; set pack_as_bytes: true');

  const length = headers.get('content-length');
  if (length !== undefined && length !== String(body.length)) return unjudgeable('the body is not as long as content-length says');
  const encoding = headers.get('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return malformed('a message must not be compressed');
  if (!JSON_CONTENT_TYPE.test(headers.get('content-type') ?? '')) return malformed('content-type must be application/json');
  return ok(body);
}
