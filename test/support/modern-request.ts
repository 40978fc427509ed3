import { MCP_HEADERS } from './mcp-request.ts';

const VERSION = '2026-07-28';

export interface ModernRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A request of revision 2026-07-28, with the fields that repeat what is in it. */
export function modernRequest(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  capabilities: Readonly<Record<string, unknown>> = {},
): ModernRequest {
  const name = params['name'] ?? params['uri'] ?? params['taskId'];
  const _meta = { 'io.modelcontextprotocol/protocolVersion': VERSION, 'io.modelcontextprotocol/clientCapabilities': capabilities };
  return {
    headers: {
      ...MCP_HEADERS,
      'mcp-protocol-version': VERSION,
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  };
}
