import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import {
  acceptedContent,
  type CallToolResult,
  completable,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpHttpHandler,
  McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** A server on the official SDK that has one of everything of revision 2026-07-28, and answers the `initialize` revisions without sessions. */
export interface ModernServer {
  /** Answers with JSON where it can. */
  readonly url: string;
  /** The same server, but each answer is an event stream. */
  readonly streamingUrl: string;
  /** The same server, but it refuses the `initialize` revisions. */
  readonly modernOnlyUrl: string;
  close(): Promise<void>;
}

interface Booking {
  readonly room: string;
  readonly date: string;
}

const requestState = createRequestStateCodec<Booking>({ key: randomBytes(32) });
const dateSchema = z.object({ date: z.string() });
const LONG_MS = 600_000;

const text = (value: unknown): CallToolResult => ({
  content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }],
});

/** Calls of `wait` that their callers cancelled, by the key they gave. */
type Cancelled = Map<string, PromiseWithResolvers<void>>;

function cancelledCall(cancelled: Cancelled, key: string): PromiseWithResolvers<void> {
  const known = cancelled.get(key) ?? Promise.withResolvers<void>();
  cancelled.set(key, known);
  return known;
}

function registerTools(server: McpServer, handler: () => McpHttpHandler, cancelled: Cancelled): void {
  server.registerTool('echo', { description: 'Says it back.', inputSchema: z.object({ message: z.string() }) }, ({ message }) =>
    text(message),
  );
  server.registerTool('vault', { description: 'Not for everybody.', inputSchema: z.object({}) }, () => text('gold'));
  server.registerTool('fail', { description: 'Fails.', inputSchema: z.object({}) }, () => {
    throw new Error('it failed');
  });
  server.registerTool(
    'weather',
    {
      description: 'Has structured output.',
      inputSchema: z.object({ city: z.string() }),
      outputSchema: z.object({ city: z.string(), celsius: z.number() }),
    },
    ({ city }) => ({ ...text(`21.5 in ${city}`), structuredContent: { city, celsius: 21.5 } }),
  );
  server.registerTool(
    'route',
    {
      description: 'Has parameters that are repeated in Mcp-Param-* fields.',
      inputSchema: z.object({
        region: z.string().meta({ 'x-mcp-header': 'Region' }),
        shard: z.int().optional().meta({ 'x-mcp-header': 'Shard' }),
        urgent: z.boolean().optional().meta({ 'x-mcp-header': 'Urgent' }),
        note: z.string().optional(),
      }),
    },
    (args, { http }) => text({ args, fields: [...(http?.req?.headers ?? [])].filter(([name]) => /^mcp-(?:param|name|method)/.test(name)) }),
  );
  server.registerTool(
    'book',
    { description: 'Asks for a date, then for a text and the roots, then books.', inputSchema: z.object({ room: z.string() }) },
    async ({ room }, context) => {
      const { inputResponses } = context.mcpReq;
      const booking = context.mcpReq.requestState<Booking>();
      const chosen = acceptedContent(inputResponses, 'date', dateSchema);
      if (booking === undefined && chosen === undefined) {
        if (inputResponse(inputResponses, 'date').kind !== 'missing') return { ...text('not booked'), isError: true };
        return inputRequired({
          inputRequests: { date: inputRequired.elicit({ message: `When is ${room} needed?`, requestedSchema: dateSchema }) },
        });
      }
      if (booking === undefined) {
        const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: `Name the meeting in ${room}` } }];
        return inputRequired({
          inputRequests: { title: inputRequired.createMessage({ messages, maxTokens: 20 }), roots: inputRequired.listRoots() },
          requestState: await requestState.mint({ room, date: chosen?.date ?? '' }, context),
        });
      }
      return text({ booking, answered: inputResponses });
    },
  );
  server.registerTool(
    'wait',
    { description: 'Reports progress until its caller goes away.', inputSchema: z.object({ key: z.string() }) },
    async ({ key }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken !== undefined)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1, message: 'waiting' } });
      await new Promise<void>((resolve) => mcpReq.signal.addEventListener('abort', () => resolve(), { once: true }));
      cancelledCall(cancelled, key).resolve();
      return text('nobody reads this');
    },
  );
  server.registerTool(
    'was-cancelled',
    { description: 'Answers when the call of `wait` with this key has been cancelled.', inputSchema: z.object({ key: z.string() }) },
    async ({ key }) => {
      await cancelledCall(cancelled, key).promise;
      return text('cancelled');
    },
  );
  server.registerTool('log', { description: 'Logs twice.', inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
    await mcpReq.log('debug', 'unheard at level info');
    await mcpReq.log('warning', { what: 'heard' }, 'modern');
    return text('logged');
  });
  server.registerTool(
    'publish',
    { description: 'Tells subscribers of a change.', inputSchema: z.object({ uris: z.array(z.string()) }) },
    ({ uris }) => {
      const { notify } = handler();
      for (const uri of uris) notify.resourceUpdated(uri);
      notify.promptsChanged();
      notify.toolsChanged();
      return text('published');
    },
  );
}

function registerPrompts(server: McpServer): void {
  const language = completable(z.string(), (value) => ['de', 'el', 'en'].filter((code) => code.startsWith(value)));
  server.registerPrompt('greet', { description: 'Greets.', argsSchema: z.object({ language }) }, ({ language: code }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Greet me in ${code}` } }],
  }));
  server.registerPrompt('secret-plan', { description: 'Not for everybody.', argsSchema: z.object({ language }) }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'the plan' } }],
  }));
  server.registerPrompt('ask-date', { description: 'Asks for a date first.' }, async (context) => {
    const chosen = acceptedContent(context.mcpReq.inputResponses, 'date', dateSchema);
    if (chosen === undefined)
      return inputRequired({ inputRequests: { date: inputRequired.elicit({ message: 'Which day?', requestedSchema: dateSchema }) } });
    return { messages: [{ role: 'user', content: { type: 'text', text: `Plan ${chosen.date}` } }] };
  });
}

function registerResources(server: McpServer): void {
  const read = (uri: URL) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: `The note ${uri.href}` }] });
  const cacheHint = { ttlMs: LONG_MS, cacheScope: 'public' } as const;
  server.registerResource('open note', 'note://open/1', { mimeType: 'text/plain', cacheHint }, read);
  server.registerResource('closed note', 'note://closed/1', { mimeType: 'text/plain' }, read);
  const complete = { name: (value: string) => ['anna', 'anton'].filter((name) => name.startsWith(value)) };
  server.registerResource('shared notes', new ResourceTemplate('note://shared/{name}', { list: undefined, complete }), {}, read);
  server.registerResource('closed notes', new ResourceTemplate('note://closed/{name}', { list: undefined, complete }), {}, read);
}

/** Starts the server in this process. */
export async function startModernServer(): Promise<ModernServer> {
  const cancelled: Cancelled = new Map();
  const build = (handler: () => McpHttpHandler) => () => {
    const server = new McpServer(
      { name: 'modern-test-server', version: '1.0.0' },
      {
        instructions: 'One of everything.',
        capabilities: {
          logging: {},
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
        },
        cacheHints: { 'tools/list': { ttlMs: LONG_MS, cacheScope: 'public' } },
        requestState: { verify: requestState.verify },
      },
    );
    registerTools(server, handler, cancelled);
    registerPrompts(server);
    registerResources(server);
    return server;
  };
  const json = createMcpHandler(
    build(() => json),
    { keepAliveMs: 200 },
  );
  const streaming = createMcpHandler(
    build(() => streaming),
    { responseMode: 'sse', keepAliveMs: 200 },
  );
  const modernOnly = createMcpHandler(
    build(() => modernOnly),
    { legacy: 'reject', keepAliveMs: 200 },
  );
  const paths = new Map([
    ['/mcp', toNodeHandler(json)],
    ['/streaming/mcp', toNodeHandler(streaming)],
    ['/modern-only/mcp', toNodeHandler(modernOnly)],
  ]);
  const server = createServer((request, response) => {
    const handle = paths.get(request.url ?? '');
    if (handle === undefined) response.writeHead(404).end();
    else void handle(request as NodeIncomingMessageLike, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/mcp`,
    streamingUrl: `${origin}/streaming/mcp`,
    modernOnlyUrl: `${origin}/modern-only/mcp`,
    async close() {
      await Promise.all([json.close(), streaming.close(), modernOnly.close()]);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
