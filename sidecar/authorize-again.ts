import { ok } from '../extauthz/api/result.ts';
import type { Decider } from './authz/decide.ts';
import type { BridgeOptions } from './bridge/bridge-options.ts';
import { upstreamHeaders } from './upstream/headers.ts';

/** Decides about another message in the name of whoever sent one before, and gives it the fields of that one with the credential of the new decision. */
export function authorizeAgain(decider: Decider): BridgeOptions['authorize'] {
  return async ({ permit, headers }, { method, target, params }) => {
    const question = { route: permit.route, method, target, params, userToken: permit.userToken };
    const { outcome } = decider.decideFromCache(question) ?? (await decider.decide(question));
    if (!outcome.ok) return outcome;
    const { obligations } = outcome.value.decision;
    return ok({
      permit: outcome.value,
      headers: upstreamHeaders(headers, obligations, headers['traceparent'], headers['mcp-session-id']),
    });
  };
}
