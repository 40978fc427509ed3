/** Keys of `_meta` in MCP 2026-07-28 ("General fields", `_meta`). */
export const META = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** The revisions that the bridge itself speaks to servers. */
export const MODERN_VERSION = '2026-07-28';
export const LEGACY_VERSION = '2025-11-25';

export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
/** MCP 2026-07-28. */
export const HEADER_MISMATCH = -32020;
export const UNSUPPORTED_VERSION = -32022;
