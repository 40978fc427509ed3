import { randomBytes, randomUUID } from 'node:crypto';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  createRequestStateCodec,
  isLegacyRequest,
  type JSONRPCMessage,
  type McpHttpHandler,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { Endpoint } from './endpoint.ts';
import { EventLog } from './event-log.ts';
import type { Progress } from './input-required-tools.ts';
import { RETRY_MS } from './retry.ts';
import { TaskStore } from './task-store.ts';
import { refuseWithoutTasks } from './task-tools.ts';
import { createV2Server } from './v2-server.ts';

const SESSION_FIELD = 'mcp-session-id';

/** One endpoint for both eras: each modern request by itself, the legacy revisions with sessions and resumable streams. */
export function openV2Endpoint(): Endpoint {
  const states = createRequestStateCodec<Progress>({ key: randomBytes(32) });
  const tasks = new TaskStore();
  const serverOf = (era: 'legacy' | 'modern') => createV2Server({ era, states, tasks, notifier: () => modern.notify });
  const modern: McpHttpHandler = createMcpHandler(() => serverOf('modern'), { legacy: 'reject' });
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

  const open = async (): Promise<WebStandardStreamableHTTPServerTransport> => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new EventLog<JSONRPCMessage>(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await serverOf('legacy').connect(transport);
    return transport;
  };
  const legacy = async (request: Request): Promise<Response> => {
    const id = request.headers.get(SESSION_FIELD);
    if (id === null) return (await open()).handleRequest(request);
    const transport = sessions.get(id);
    if (transport !== undefined) return transport.handleRequest(request);
    return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, { status: 404 });
  };

  const handle = toNodeHandler({
    async fetch(request, options) {
      if (await isLegacyRequest(request)) return legacy(request);
      return (await refuseWithoutTasks(request)) ?? modern.fetch(request, options);
    },
  });
  return {
    handle: (request, response) => void handle(request as NodeIncomingMessageLike, response),
    async close() {
      await modern.close();
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
    },
  };
}
