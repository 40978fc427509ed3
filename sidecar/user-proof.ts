import type { IncomingMessage } from 'node:http';
import { fail, ok, type Result } from '../extauthz/api/result.ts';
import { captureRequired, type Refusal, rejected } from './denial.ts';
import { bearerToken, isCaptured } from './receive.ts';
import type { Route } from './routes.ts';

/**
 * The user's token; empty when there is none. Where the agent's `Authorization` is for its server, the token comes in the field that ends at a proxy,
 * and must not be in the other one, too.
 */
export function userProof(request: IncomingMessage, route: Route): Result<string, Refusal> {
  if (route.agentCredential !== true) return ok(bearerToken(request, 'authorization'));
  if (!isCaptured(request)) return fail(captureRequired(route.name));
  const userToken = bearerToken(request, 'proxy-authorization');
  const isShownToServer = userToken !== '' && request.headers.authorization?.includes(userToken) === true;
  return isShownToServer ? fail(rejected('malformed', 400, 'the user’s token must not be shown to the server, too')) : ok(userToken);
}
