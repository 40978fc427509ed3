import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolResult,
  CreateMessageResultSchema,
  ElicitResultSchema,
  type JSONRPCMessage,
  ListRootsResultSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { EventLog } from '../conformance/server/event-log.ts';

/** A server on the v1 line of the official SDK that has one of everything of the revisions to 2025-11-25, and sessions. */
export interface LegacyServer {
  readonly url: string;
  /** Sessions begun so far. */
  readonly initialized: number;
  /** How often each tool has run. */
  readonly runs: ReadonlyMap<string, number>;
  /** Resources that are subscribed to, in any session. */
  subscribed(): string[];
  /** Calls of `wait` that were cancelled, by their key; settles when this one is. */
  cancelled(key: string): Promise<void>;
  /** Has the server forget every session, as after a restart. */
  forgetSessions(): void;
  /** Settles when a session has ended at its client's wish. */
  sessionEnded(): Promise<void>;
  close(): Promise<void>;
}

const DATE_FORM = { type: 'object' as const, properties: { date: { type: 'string' as const } }, required: ['date'] };

const text = (value: unknown): CallToolResult => ({
  content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }],
});

class Shared {
  readonly runs = new Map<string, number>();
  readonly subscribed = new Map<McpServer, Set<string>>();
  readonly #cancelled = new Map<string, PromiseWithResolvers<void>>();

  cancelled(key: string): PromiseWithResolvers<void> {
    const known = this.#cancelled.get(key) ?? Promise.withResolvers<void>();
    this.#cancelled.set(key, known);
    return known;
  }

  ran(tool: string): void {
    this.runs.set(tool, (this.runs.get(tool) ?? 0) + 1);
  }
}

function registerTools(server: McpServer, shared: Shared): void {
  const none = {};
  server.registerTool('echo', { description: 'Says it back.', inputSchema: { message: z.string() } }, ({ message }) => {
    shared.ran('echo');
    return text(message);
  });
  server.registerTool('vault', { description: 'Not for everybody.', inputSchema: none }, () => text('gold'));
  server.registerTool('fail', { description: 'Fails.', inputSchema: none }, () => {
    throw new Error('it failed');
  });
  server.registerTool(
    'book',
    { description: 'Asks for a date, then for a text and the roots.', inputSchema: { room: z.string() } },
    async ({ room }, extra) => {
      shared.ran('book');
      const date = await extra.sendRequest(
        { method: 'elicitation/create', params: { message: `When is ${room} needed?`, requestedSchema: DATE_FORM } },
        ElicitResultSchema,
      );
      if (date.action !== 'accept') return text('not booked');
      const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: `Name the meeting in ${room}` } }];
      const [title, roots] = await Promise.allSettled([
        extra.sendRequest({ method: 'sampling/createMessage', params: { messages, maxTokens: 20 } }, CreateMessageResultSchema),
        extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema),
      ]);
      const said = (outcome: PromiseSettledResult<unknown>) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason));
      return text({ room, date: date.content, title: said(title), roots: said(roots) });
    },
  );
  server.registerTool(
    'book-apart',
    { description: 'Asks for a date outside of its own stream.', inputSchema: { room: z.string() } },
    async ({ room }) => {
      const date = await server.server.elicitInput({ message: `When is ${room} needed?`, requestedSchema: DATE_FORM });
      return text({ room, date: date.content });
    },
  );
  server.registerTool(
    'wait',
    { description: 'Reports progress until it is cancelled.', inputSchema: { key: z.string() } },
    async ({ key }, { signal, sendNotification, _meta }) => {
      const progressToken = _meta?.progressToken;
      if (progressToken !== undefined)
        await sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1, message: 'waiting' } });
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      shared.cancelled(key).resolve();
      return text('nobody reads this');
    },
  );
  server.registerTool('log', { description: 'Logs twice.', inputSchema: none }, async (_args, { sendNotification }) => {
    await sendNotification({ method: 'notifications/message', params: { level: 'debug', data: 'unheard at level info' } });
    await sendNotification({ method: 'notifications/message', params: { level: 'warning', data: 'heard' } });
    return text('logged');
  });
  server.registerTool(
    'break-off',
    { description: 'Ends its stream, and leaves the answer to be fetched.', inputSchema: none },
    (_args, extra) => {
      shared.ran('break-off');
      extra.closeSSEStream?.();
      return text('it was still there');
    },
  );
  server.registerTool(
    'publish',
    { description: 'Tells subscribers of a change.', inputSchema: { uris: z.array(z.string()) } },
    async ({ uris }) => {
      for (const uri of uris) await server.server.sendResourceUpdated({ uri });
      server.sendPromptListChanged();
      server.sendToolListChanged();
      return text('published');
    },
  );
}

function registerOthers(server: McpServer, shared: Shared): void {
  const language = completable(z.string(), (value) => ['de', 'el', 'en'].filter((code) => code.startsWith(value)));
  const prompt = (say: string) => ({ messages: [{ role: 'user' as const, content: { type: 'text' as const, text: say } }] });
  server.registerPrompt('greet', { argsSchema: { language } }, ({ language: code }) => prompt(`Greet me in ${code}`));
  server.registerPrompt('secret-plan', {}, () => prompt('the plan'));
  const read = (uri: URL) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: `The note ${uri.href}` }] });
  server.registerResource('open note', 'note://open/1', {}, read);
  server.registerResource('closed note', 'note://closed/1', {}, read);
  server.registerResource('shared notes', new ResourceTemplate('note://shared/{name}', { list: undefined }), {}, read);
  const uris = new Set<string>();
  shared.subscribed.set(server, uris);
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    uris.add(params.uri);
    return {};
  });
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    uris.delete(params.uri);
    return {};
  });
  server.server.setRequestHandler(SetLevelRequestSchema, () => ({}));
}

/** Starts the server in this process. */
export async function startLegacyServer(): Promise<LegacyServer> {
  const shared = new Shared();
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const ended = Promise.withResolvers<void>();
  let initialized = 0;
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new EventLog<JSONRPCMessage>(),
      retryInterval: 10,
      onsessioninitialized: (id) => {
        initialized += 1;
        sessions.set(id, transport);
      },
      onsessionclosed: (id) => {
        sessions.delete(id);
        ended.resolve();
      },
    });
    const server = new McpServer(
      { name: 'legacy-test-server', version: '1.0.0' },
      { instructions: 'One of everything, as it was.', capabilities: { logging: {}, resources: { subscribe: true } } },
    );
    registerTools(server, shared);
    registerOthers(server, shared);
    await server.connect(transport as Transport);
    return transport;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = request.headers['mcp-session-id'];
    const transport = typeof id === 'string' ? sessions.get(id) : await open();
    if (transport !== undefined) return transport.handleRequest(request, response);
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }));
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    get initialized() {
      return initialized;
    },
    runs: shared.runs,
    subscribed: () => [...shared.subscribed.values()].flatMap((uris) => [...uris]),
    cancelled: (key) => shared.cancelled(key).promise,
    forgetSessions: () => sessions.clear(),
    sessionEnded: () => ended.promise,
    async close() {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
