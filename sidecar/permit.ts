import type { Decision } from '../extauthz/api/decision.ts';
import type { Route } from './routes.ts';

declare const permitted: unique symbol;

/** Proof that policy allowed one message to go to one server. Only `authz/decide.ts` makes them, and forwarding takes nothing else. */
export interface Permit {
  readonly [permitted]: true;
  readonly route: Route;
  readonly decision: Decision;
  /** What the agent proved its user with: good for asking again in the same name, never for a server. */
  readonly userToken: string;
}
