import { join } from 'node:path';
import type { SdkLine } from './sdk-line.ts';
import type { Revision, Side } from './suite/requirement-set.ts';

/** One requirement set against one server or client of ours. */
export interface Leg {
  readonly revision: Revision;
  readonly side: Side;
  readonly line: SdkLine;
}

/** The v1 line has no later revision than 2025-11-25. */
export const LEGS: readonly Leg[] = [
  { revision: '2025-11-25', side: 'server', line: 'v2' },
  { revision: '2025-11-25', side: 'server', line: 'v1' },
  { revision: '2025-11-25', side: 'client', line: 'v2' },
  { revision: '2025-11-25', side: 'client', line: 'v1' },
  { revision: '2026-07-28', side: 'server', line: 'v2' },
  { revision: '2026-07-28', side: 'client', line: 'v2' },
];

/** The command that starts a client, quoted for the shell that the suite hands it to. */
export function clientCommand(line: SdkLine): string {
  return [process.execPath, join(import.meta.dirname, `client-${line}.ts`)].map((part) => `"${part}"`).join(' ');
}

/**
 * Scenarios that are not run through the sidecar. A client that asks for authorization compares the URL it knows with the one that the
 * server's metadata names (RFC 9728 section 3.3), so it must reach the server under the server's own URL; through the sidecar it has another one.
 */
export function isExcludedThrough({ side }: Leg, scenario: string): boolean {
  return side === 'client' && scenario.startsWith('auth/');
}
