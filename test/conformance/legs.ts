import { join } from 'node:path';
import type { SdkLine } from './sdk-line.ts';
import type { Revision, Side } from './suite/requirement-set.ts';
import type { WayThrough } from './through/registrar.ts';

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
 * Which way a client is sent through the sidecar in a scenario; undefined when the scenario is only run directly.
 *
 * A client that is to be authorized by its server needs the URL that it knows (RFC 9728 section 3.3), and its server's own 401 with the
 * challenge in it. It could have the first, captured; the second never leaves the sidecar.
 */
export function clientWay(scenario: string): WayThrough | undefined {
  return scenario.startsWith('auth/') ? undefined : 'renamed';
}
