import assert from 'node:assert/strict';
import type { CheckRequest, CheckResponse, HttpRequest, Struct, StructValue } from '../../../extauthz/api/envoy-protos.ts';

/** An HTTP request as a proxy shows it; what is left out is as a good POST to `tickets` has it. */
export interface Checked {
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  /** Undefined takes a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Sent raw, after the others. */
  readonly headerMap?: readonly (readonly [string, string])[];
  /** Sent as `body`; anything but a text becomes JSON. */
  readonly body?: unknown;
  readonly rawBody?: Buffer;
  /** `sidegate.server` of the route; null when the route does not name it. */
  readonly server?: string | null;
  readonly metadata?: Readonly<Record<string, Struct>>;
}

export function checkRequest(checked: Checked, userToken: string): CheckRequest {
  const {
    method = 'POST',
    host = 'mcp.example',
    path = '/tickets',
    headers = {},
    headerMap,
    body,
    rawBody,
    server = 'tickets',
    metadata,
  } = checked;
  const bodyText = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const length = rawBody?.length ?? Buffer.byteLength(bodyText);
  const ofPost = { 'content-type': 'application/json', 'content-length': String(length), 'x-envoy-auth-partial-body': 'false' };
  const all: Record<string, string | undefined> = {
    authorization: `Bearer ${userToken}`,
    ...(method === 'POST' ? ofPost : {}),
    ...headers,
  };
  const sent = Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
  const raw =
    headerMap && [...Object.entries(sent), ...headerMap].map(([key, value]) => ({ key, value: '', rawValue: Buffer.from(value) }));
  const http: HttpRequest = {
    id: '1',
    method,
    headers: raw === undefined ? sent : {},
    path,
    host,
    scheme: 'http',
    size: length,
    protocol: 'HTTP/1.1',
    body: bodyText,
    rawBody: rawBody ?? Buffer.alloc(0),
    headerMap: raw === undefined ? null : { headers: raw },
  };
  return {
    attributes: {
      request: { http },
      contextExtensions: server === null ? {} : { 'sidegate.server': server },
      metadataContext: metadata === undefined ? null : { filterMetadata: metadata },
    },
  };
}

/** A `tools/call` request. */
export function callOf(name: string, args: object = {}, id: unknown = 1) {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

export function assertAllowed(response: CheckResponse): void {
  assert.equal(response.status.code, 0, String(response.deniedResponse?.body));
  assert.ok(response.okResponse);
  assert.equal(response.deniedResponse, undefined);
}

/** Denied in the one way that no proxy lets pass, with a JSON-RPC error that says why. */
export function assertDenied(response: CheckResponse, httpStatus: string, rpcCode: number, reason: RegExp, id: unknown = 1): void {
  assert.equal(response.status.code, 7, 'PERMISSION_DENIED');
  assert.equal(response.okResponse, undefined);
  const denied = response.deniedResponse;
  assert.ok(denied, 'always denied_response');
  assert.equal(denied.status.code, httpStatus, denied.body);
  const body = JSON.parse(denied.body) as {
    jsonrpc: string;
    id: unknown;
    error: { code: number; message: string; data: { sidegate: object } };
  };
  assert.equal(body.jsonrpc, '2.0');
  assert.deepEqual(body.id, id);
  assert.equal(body.error.code, rpcCode, denied.body);
  assert.match(body.error.message, reason);
  const { decision_id: decisionId, revision, effect, code } = plain(response.dynamicMetadata);
  assert.equal(effect, 'deny');
  assert.deepEqual(body.error.data.sidegate, { decisionId, revision, reason: body.error.message });
  assert.equal(typeof code, 'string', 'the reason’s code is for access logs');
  assert.deepEqual(
    denied.headers.map(({ header }) => `${header.key}: ${header.value}`),
    ['content-type: application/json'],
  );
}

/** The texts and lists of texts of a Struct. */
export function plain({ fields }: Struct): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { stringValue, listValue }]) => [
      name,
      stringValue ?? listValue?.values.map((value) => value.stringValue),
    ]),
  );
}

export function struct(fields: Readonly<Record<string, StructValue>>): Struct {
  return { fields };
}

export function text(value: string): StructValue {
  return { stringValue: value };
}
