import { join } from 'node:path';
import type { SdkLine } from './sdk-line.ts';
import type { Revision, Side } from './suite/requirement-set.ts';
import type { WayThrough } from './through/registrar.ts';

/** One requirement set against one server or client of ours. */
export interface Leg {
  readonly revision: Revision;
  readonly side: Side;
  readonly line: SdkLine;
  /** Which way through the sidecar is compared with the direct one. */
  readonly way: WayThrough;
}

/** The v1 line has no later revision than 2025-11-25. The suite itself cannot use a proxy, so servers are only renamed. */
export const LEGS: readonly Leg[] = [
  { revision: '2025-11-25', side: 'server', line: 'v2', way: 'renamed' },
  { revision: '2025-11-25', side: 'server', line: 'v1', way: 'renamed' },
  { revision: '2025-11-25', side: 'client', line: 'v2', way: 'renamed' },
  { revision: '2025-11-25', side: 'client', line: 'v2', way: 'captured' },
  { revision: '2025-11-25', side: 'client', line: 'v1', way: 'renamed' },
  { revision: '2025-11-25', side: 'client', line: 'v1', way: 'captured' },
  { revision: '2026-07-28', side: 'server', line: 'v2', way: 'renamed' },
  { revision: '2026-07-28', side: 'client', line: 'v2', way: 'renamed' },
  { revision: '2026-07-28', side: 'client', line: 'v2', way: 'captured' },
];

/** The command that starts a client, quoted for the shell that the suite hands it to. */
export function clientCommand(line: SdkLine): string {
  return [process.execPath, join(import.meta.dirname, `client-${line}.ts`)].map((part) => `"${part}"`).join(' ');
}

/**
 * Whether a client scenario is only run directly. A client that its server authorizes needs the URL that it knows (RFC 9728 section 3.3), which
 * it keeps only when it is captured.
 */
export function isOnlyDirect(scenario: string, way: WayThrough): boolean {
  return scenario.startsWith('auth/') && way !== 'captured';
}
