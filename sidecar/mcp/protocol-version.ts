/**
 * - `legacy`: 2025-11-25 and older, which open with `initialize` and may have sessions
 * - `modern`: 2026-07-28 and newer, stateless, with `_meta` on every request
 *
 * The words are those of the specification's versioning page.
 */
export type Era = 'legacy' | 'modern';

/** The revisions of MCP, oldest first. */
export const PROTOCOL_VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;
export type ProtocolVersion = (typeof PROTOCOL_VERSIONS)[number];

const FIRST_MODERN: ProtocolVersion = '2026-07-28';
const REVISION_DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** The era that a revision belongs to. A revision is named by its date, so later ones than we know are modern; any other name is legacy. */
export function eraOf(version: string): Era {
  return REVISION_DATE.test(version) && version >= FIRST_MODERN ? 'modern' : 'legacy';
}

export function isKnownVersion(version: string): version is ProtocolVersion {
  return (PROTOCOL_VERSIONS as readonly string[]).includes(version);
}
