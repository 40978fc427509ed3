import type { Exchange } from './exchange.ts';
import type { Era } from './mcp/protocol-version.ts';
import type { Conversation } from './open-requests.ts';
import type { Permit } from './permit.ts';
import type { SessionOwner } from './session-seal.ts';
import type { MessageSpans } from './telemetry/message-spans.ts';

/** A message that may go to its server, with all that is known about it. */
export interface Admitted {
  readonly exchange: Exchange;
  readonly permit: Permit;
  readonly userToken: string;
  /** The server's own. */
  readonly sessionId: string | undefined;
  readonly era: Era;
  readonly spans: MessageSpans;
}

export function ownerOf({ route, decision }: Permit): SessionOwner {
  return { server: route.name, userId: decision.principal?.user.id ?? '' };
}

export function conversationOf({ permit, sessionId = '' }: Admitted): Conversation {
  return { ...ownerOf(permit), sessionId };
}
