import type { Route } from '../routes.ts';
import type { Caller } from './caller.ts';
import type { JsonObject } from './json-text.ts';
import type { Message } from './message.ts';
import type { ModernCall } from './modern-call.ts';
import type { ModernListening } from './modern-listening.ts';
import type { ClientDeclaration } from './modern-request.ts';

/** A legacy agent's session, which its modern server knows nothing of. */
export interface ModernSession {
  readonly id: string;
  readonly route: Route;
  readonly userId: string;
  readonly capabilities: JsonObject;
  /** What each request says of the client. */
  declared: ClientDeclaration;
  /** Whether the server logs, and so takes a level. */
  readonly hasLog: boolean;
  readonly calls: Set<ModernCall>;
  /** Requests of the server that the agent has not answered, by the bridge's ids. */
  readonly awaiting: Map<string, (response: Message, caller: Caller) => void>;
  readonly listening: ModernListening;
  lastUsedMs: number;
}
