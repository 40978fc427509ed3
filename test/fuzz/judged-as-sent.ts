import assert from 'node:assert/strict';
import type { Judged } from './fuzzed-sidecar.ts';
import type { Forwarded } from './played-server.ts';
import { isPermitted } from './pretend-policy.ts';
import { readingsOf, readLast } from './readers.ts';

/** Names of `NAME_PARAMETERS` in the specification: what `Mcp-Name` repeats (SEP-2243). */
const NAME_PARAMETERS: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {});

/** Objects in which some readers fold the keys: `params` and these of its members. What lies below `arguments` stays as it is. */
const FOLDED: ReadonlySet<string> = new Set(['params', 'params.ref', 'params.notifications', 'params._meta']);

/** The same text for the same value: keys in order, folded where a reader may fold them, without the trace context that the sidecar adds. */
function canonical(value: unknown, path: string): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, `${path}[]`)).join()}]`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(JSON.stringify(value) ?? value);
  const folds = FOLDED.has(path);
  const members = Object.entries(value)
    .map(([key, member]) => [folds ? key.toLowerCase() : key, member] as const)
    .filter(([name]) => !(path === 'params._meta' && name === 'traceparent'))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, `${path}.${name}`)}`);
  return `{${members.sort().join()}}`;
}

/** Fails unless what reached the server is, for every reader of it, a message that policy allowed. */
export function assertJudged({ headers, body }: Forwarded, allowed: readonly Judged[]): void {
  for (const { reader: name, method, params, hasId } of readingsOf(body)) {
    if (method === undefined) {
      assert.ok(
        allowed.some((judged) => judged.method === 'http/client-response'),
        `an answer that was not judged, for ${name}: ${body}`,
      );
      continue;
    }
    assert.ok(isPermitted(method, params), `not permitted, for ${name}: ${body}`);
    assert.equal(hasId, !String(method).startsWith('notifications/'), `request and notification mistaken, for ${name}: ${body}`);
    const judged = allowed.filter((one) => one.method === method && one.target === targetOf(method, params));
    const isSame = judged.some((one) => {
      const judgedParams: unknown = one.params.length === 0 ? undefined : readLast(Buffer.from(one.params).toString());
      return canonical(params, 'params') === canonical(judgedParams, 'params');
    });
    assert.ok(isSame, `not what was judged, for ${name}: ${body}`);
    assertFieldsAgree(headers, method, membersOf(params));
  }
}

/** What the decision is remembered by, read apart from the product. */
function targetOf(method: unknown, params: unknown): string {
  const { name, uri, ref } = membersOf(params);
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return String(name);
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return String(uri);
    case 'completion/complete':
      return String(membersOf(ref)[membersOf(ref)['type'] === 'ref/prompt' ? 'name' : 'uri']);
    case 'vendor/safe':
      return 'vendor/safe';
    default:
      return '';
  }
}

/** A modern server may go by the fields: they must say what the body says. */
function assertFieldsAgree(headers: Forwarded['headers'], method: unknown, params: Members): void {
  const version = membersOf(params['_meta'])[VERSION_KEY] ?? membersOf(params['_meta'])[VERSION_KEY.toLowerCase()];
  if (version === undefined) return;
  const said = { 'mcp-protocol-version': version, 'mcp-method': method, 'mcp-name': params[NAME_PARAMETERS[String(method)] ?? ''] };
  for (const [field, value] of Object.entries(said)) {
    const sent = headers[field];
    if (sent !== undefined && value !== undefined)
      assert.equal(decoded(sent), value, `${field} does not agree with ${JSON.stringify(params)}`);
  }
}

function decoded(value: string): string {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(value) ?? [];
  return base64 === undefined ? value : Buffer.from(base64, 'base64').toString();
}
