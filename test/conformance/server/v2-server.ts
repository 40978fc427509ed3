import {
  acceptedContent,
  type CallToolResult,
  fromJsonSchema,
  inputRequired,
  type JsonSchemaType,
  McpServer,
  ProtocolError,
  type RequestStateCodec,
  ResourceNotFoundError,
  type ServerContext,
  type ServerNotifier,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './content.ts';
import { INPUT_REQUIRED_TOOLS, type Progress } from './input-required-tools.ts';
import { LEGACY_TOOLS } from './legacy-tools.ts';
import { completions, getPrompt, listPrompts } from './prompts.ts';
import { listResources, listResourceTemplates, readResource } from './resources.ts';
import type { TaskStore } from './task-store.ts';
import { serveTasks, TASKS_EXTENSION } from './task-tools.ts';
import { type ClientChannel, type ConformanceTool, NO_INPUT, type ObjectSchema } from './tool.ts';
import { TOOLS } from './tools.ts';

const INVALID_PARAMS = -32602;
const ASKING_PROMPT = 'test_input_required_result_prompt';
const TOPIC = z.object({ context: z.string() });

export interface V2ServerOptions {
  readonly era: 'legacy' | 'modern';
  readonly states: RequestStateCodec<Progress>;
  readonly tasks: TaskStore;
  /** Tells the open subscriptions of every client (modern only). */
  readonly notifier: () => ServerNotifier;
}

/** The conformance server on the v2 line of the official SDK, for one request (modern) or one session (legacy). */
export function createV2Server(options: V2ServerOptions): McpServer {
  const isLegacy = options.era === 'legacy';
  const server = new McpServer(
    { name: 'sidegate-conformance-v2', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
        ...(!isLegacy && { extensions: { [TASKS_EXTENSION]: {} } }),
      },
      requestState: { verify: options.states.verify },
    },
  );
  for (const tool of TOOLS) registerTool(server, tool);
  if (isLegacy) for (const tool of LEGACY_TOOLS) registerTool(server, tool);
  else {
    registerModernTools(server, options);
    serveTasks(server, options.tasks);
  }
  servePrompts(server, isLegacy);
  serveResources(server, isLegacy);
  server.server.setRequestHandler('completion/complete', ({ params }) => completions(params.argument.value));
  return server;
}

function registerTool(server: McpServer, { name, description, inputSchema, call }: ConformanceTool): void {
  const config = { description, inputSchema: schemaOf(inputSchema) };
  server.registerTool(name, config, async (input, context) => call(input, channelOf(context)));
}

function schemaOf(schema: ObjectSchema) {
  return fromJsonSchema<Record<string, unknown>>(schema as JsonSchemaType);
}

function registerModernTools(server: McpServer, { states, notifier }: V2ServerOptions): void {
  const inputSchema = schemaOf(NO_INPUT);
  const said = (value: string): CallToolResult => ({ content: [text(value)] });
  for (const { name, description, call } of INPUT_REQUIRED_TOOLS)
    server.registerTool(name, { description, inputSchema }, (_input, context) => call(context, states));

  server.registerTool('test_logging_tool', { description: 'Logs to clients that asked for it.', inputSchema }, async (_input, context) => {
    await channelOf(context).log('Nobody should read this who did not ask for it.');
    return said('It is logged.');
  });
  server.registerTool('test_trigger_tool_change', { description: 'Says that the tools changed.', inputSchema }, () => {
    notifier().toolsChanged();
    return said('Said so.');
  });
  server.registerTool('test_trigger_prompt_change', { description: 'Says that the prompts changed.', inputSchema }, () => {
    notifier().promptsChanged();
    return said('Said so.');
  });
  const regional: ObjectSchema = {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, query: { type: 'string' } },
    required: ['region'],
  };
  const description = 'Takes an argument that a header repeats.';
  server.registerTool('test_header_argument', { description, inputSchema: schemaOf(regional) }, ({ region }) => said(`In ${region}`));
}

/** The client as a tool sees it. What it may ask for during a call works in the legacy era only. */
function channelOf({ mcpReq, http }: ServerContext): ClientChannel {
  return {
    async progress(done, total) {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken === undefined) return;
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: done, total } });
    },
    log: (message) => mcpReq.log('info', message),
    elicit: (message, requestedSchema) => mcpReq.elicitInput({ message, requestedSchema: { ...requestedSchema } as never }),
    async sample(prompt, maxTokens) {
      const { content } = await mcpReq.requestSampling({ messages: [{ role: 'user', content: text(prompt) }], maxTokens });
      return JSON.stringify(content);
    },
    closeStream: () => http?.closeSSE?.(),
  };
}

function servePrompts({ server }: McpServer, isLegacy: boolean): void {
  const asking = { name: ASKING_PROMPT, description: 'Asks for the context that it is about.', arguments: [] };
  server.setRequestHandler('prompts/list', () => ({ prompts: isLegacy ? listPrompts() : [...listPrompts(), asking] }));
  server.setRequestHandler('prompts/get', ({ params }, { mcpReq }) => {
    if (!isLegacy && params.name === ASKING_PROMPT) {
      const topic = acceptedContent(mcpReq.inputResponses, 'user_context', TOPIC);
      if (topic !== undefined) return { messages: [{ role: 'user' as const, content: text(`Context: ${topic.context}`) }] };
      const user_context = inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: TOPIC });
      return inputRequired({ inputRequests: { user_context } });
    }
    const prompt = getPrompt(params.name, params.arguments ?? {});
    if (prompt === undefined) throw new ProtocolError(INVALID_PARAMS, `No prompt ${params.name} with these arguments`);
    return prompt;
  });
}

function serveResources({ server }: McpServer, isLegacy: boolean): void {
  server.setRequestHandler('resources/list', () => ({ resources: listResources() }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: listResourceTemplates() }));
  server.setRequestHandler('resources/read', ({ params }) => {
    const resource = readResource(params.uri);
    if (resource === undefined) throw new ResourceNotFoundError(params.uri);
    return resource;
  });
  if (!isLegacy) return;
  server.setRequestHandler('resources/subscribe', () => ({}));
  server.setRequestHandler('resources/unsubscribe', () => ({}));
}
