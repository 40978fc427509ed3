import type { Result } from '../../extauthz/api/result.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Clock } from '../clock.ts';
import type { Refusal } from '../denial.ts';
import type { Route } from '../routes.ts';
import type { SessionSeal } from '../session-seal.ts';
import type { Caller } from './caller.ts';
import type { WireOptions } from './server-wire.ts';

/** A message of the bridge's own, or one that goes again, to be decided like the agent's own. */
export interface BridgeQuestion {
  readonly method: string;
  readonly target: string;
  /** Bytes of the JSON-RPC `params`. */
  readonly params: Uint8Array;
}

export interface BridgeOptions extends WireOptions {
  /** Decides, in the name of the caller, and gives the fields that go with the message if it may. */
  readonly authorize: (caller: Caller, question: BridgeQuestion) => Promise<Result<Caller, Refusal>>;
  /** Largest message that goes to a server, in bytes: as large as one of the agent's may be. */
  readonly maxRequestBytes: number;
  /** The registered server of this name, as of now. */
  readonly routeOf: (name: string) => Route | undefined;
  /** Time after which a session that nobody uses is ended. */
  readonly idleMs: number;
  readonly clock: Clock;
  /** An id that cannot be guessed. */
  readonly newId: () => string;
  /** Seals the `requestState` of calls that wait. Its key is of this process alone, and seals nothing else. */
  readonly requestStates: SessionSeal;
  readonly logger: Logger;
}
