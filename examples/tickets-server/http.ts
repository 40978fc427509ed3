import { createServer, type Server } from 'node:http';
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toNodeHandler,
} from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  type McpRequestContext,
  McpServer,
  type OAuthTokenVerifier,
  requireBearerAuth,
} from '@modelcontextprotocol/server';
import { registerPromptsAndResources } from './prompts-and-resources.ts';
import { TicketStore } from './store.ts';
import { registerTools } from './tools.ts';

export const MCP_PATH = '/mcp';

/**
 * An MCP server over HTTP that serves revision 2026-07-28 and, without sessions, the `initialize` revisions before it, on one path.
 * Every request needs a bearer token for this server; without one the answer is 401 (RFC 6750 section 3).
 */
export function createTicketsServer(verifier: OAuthTokenVerifier, resource: URL): Server {
  const store = new TicketStore();
  const authenticate = requireBearerAuth({ verifier, expectedResource: resource });
  const mcp = createMcpHandler(({ requestInfo }: McpRequestContext) => {
    const server = new McpServer(
      { name: 'example-tickets', version: '1.0.0' },
      { instructions: 'Support tickets. Every change is made as the signed-in user.' },
    );
    registerTools(server, store, requestInfo?.headers.get('traceparent') ?? undefined);
    registerPromptsAndResources(server, store);
    return server;
  });
  const handle = toNodeHandler({
    async fetch(request, options) {
      const auth = await authenticate(request);
      return auth instanceof Response ? auth : mcp.fetch(request, { ...options, authInfo: auth });
    },
  });
  const isLoopbackHost = localhostHostValidation();
  const isLoopbackOrigin = localhostOriginValidation();
  const server = createServer((request, response) => {
    // These answer 403 themselves: a web page on this machine must not reach the server by DNS rebinding.
    if (!isLoopbackHost(request, response) || !isLoopbackOrigin(request, response)) return;
    if (request.url?.split('?')[0] === MCP_PATH) void handle(request as NodeIncomingMessageLike, response);
    else response.writeHead(404).end();
  });
  server.on('close', () => void mcp.close());
  return server;
}
