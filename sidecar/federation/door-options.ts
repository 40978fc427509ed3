import type { Result } from '../../extauthz/api/result.ts';
import type { Clock } from '../clock.ts';
import type { Refusal } from '../denial.ts';
import type { Exchange } from '../exchange.ts';
import type { InnerCalls } from '../inner-calls.ts';
import type { ListeningStream } from '../list-changes.ts';
import type { ListCursors } from './list-cursor.ts';
import type { FederatedSessions } from './sessions.ts';

export interface DoorOptions {
  readonly innerCalls: InnerCalls;
  /** The registered servers. */
  readonly serverNames: () => readonly string[];
  readonly sessions: FederatedSessions;
  readonly cursors: ListCursors;
  /** Has a stream hear of lists that policy changed; returns how to stop that. */
  readonly announceOn: (stream: ListeningStream) => () => void;
  /** Who sent a request, as the policy service verified it. */
  readonly userOf: (exchange: Exchange) => Promise<Result<string, Refusal>>;
  /** How long each server may take where all are asked, in milliseconds. */
  readonly timeoutMs: number;
  /** Largest list answered at once, in bytes. */
  readonly maxListBytes: number;
  readonly clock: Clock;
}

/**
 * What became of a visit: `passed` to servers, where each part is recorded; `answered` by the door itself; or a `Refusal`, which is still to be sent.
 */
export type Outcome = 'passed' | 'answered' | Refusal;
