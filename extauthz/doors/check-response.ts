import type { CheckResponse, HeaderValueOption } from '../api/envoy-protos.ts';
import type { Ruling } from '../decision-service.ts';
import type { CheckRefusal } from './check-refusal.ts';
import { toStruct } from './struct.ts';

/** Values of google.rpc.Code. */
const OK = 0;
const PERMISSION_DENIED = 7;

/** The parts of a ruling that a proxy may log. A request that was refused before a decision has no policies. */
export type Verdicted = Pick<Ruling, 'id' | 'revision' | 'policies' | 'wouldDeny'>;

/** Lets the request go on, with the user's credential instead of the agent's. */
export function allowResponse(ruling: Ruling): CheckResponse {
  const { setHeaders, removeHeaders } = ruling.obligations;
  const set = new Set(setHeaders.map(({ name }) => name));
  return {
    status: { code: OK, message: '' },
    okResponse: {
      headers: setHeaders.map(({ name, value }) => overwriting(name, value.reveal())),
      // Proxies remove after they set, so a field that is set must not be listed; setting overwrites what the client sent.
      headersToRemove: removeHeaders.filter((name) => !set.has(name)),
    },
    dynamicMetadata: metadata('allow', '', ruling),
  };
}

/** The JSON-RPC error that the client gets. `idText` is JSON. */
export function denialBody({ reason, rpcCode }: CheckRefusal, idText: string, { id, revision }: Verdicted): string {
  const error = { code: rpcCode, message: reason, data: { sidegate: { decisionId: id, revision, reason } } };
  // The id is put in as text, because a number too large for JavaScript would come back as another one.
  return `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify(error)}}`;
}

/**
 * Stops the request. Always `denied_response`: anything that a proxy could take for an error of the policy service would pass where `failure_mode_allow` is set.
 * @param body from `denialBody`.
 */
export function denyResponse(refusal: CheckRefusal, body: string, verdicted: Verdicted): CheckResponse {
  return {
    status: { code: PERMISSION_DENIED, message: refusal.reason },
    deniedResponse: { status: { code: refusal.httpStatus }, headers: [overwriting('content-type', 'application/json')], body },
    dynamicMetadata: metadata('deny', refusal.code, verdicted),
  };
}

/** Both the old and the new field say "overwrite": unset they mean different things to different proxies, and appending would keep a forged copy. */
function overwriting(key: string, value: string): HeaderValueOption {
  return { header: { key, value }, append: { value: false }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

/** Lands in the proxy's access log, under `envoy.filters.http.ext_authz`. */
function metadata(effect: string, code: string, { id, revision, policies, wouldDeny }: Verdicted): CheckResponse['dynamicMetadata'] {
  return toStruct({ decision_id: id, revision, effect, code, policies, would_deny: wouldDeny });
}
