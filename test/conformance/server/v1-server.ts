import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { text } from './content.ts';
import { LEGACY_TOOLS } from './legacy-tools.ts';
import { completions, getPrompt, listPrompts } from './prompts.ts';
import { listResources, listResourceTemplates, readResource } from './resources.ts';
import type { ClientChannel } from './tool.ts';
import { TOOLS } from './tools.ts';

/** MCP 2025-11-25, Resources, "Error Handling". */
const RESOURCE_NOT_FOUND = -32002;

const ALL_TOOLS = [...TOOLS, ...LEGACY_TOOLS];

/** The conformance server on the v1 line of the official SDK, for one session. */
export function createV1Server(): Server {
  const server = new Server(
    { name: 'sidegate-conformance-v1', version: '1.0.0' },
    { capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} } },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ALL_TOOLS.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = ALL_TOOLS.find(({ name }) => name === params.name);
    if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, `No tool ${params.name}`);
    return tool.call(params.arguments ?? {}, channelOf(extra));
  });
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: listPrompts() }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    const prompt = getPrompt(params.name, params.arguments ?? {});
    if (prompt === undefined) throw new McpError(ErrorCode.InvalidParams, `No prompt ${params.name} with these arguments`);
    return prompt;
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => completions(params.argument.value));
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: listResources() }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: listResourceTemplates() }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => {
    const resource = readResource(params.uri);
    if (resource === undefined) throw new McpError(RESOURCE_NOT_FOUND, 'Resource not found', { uri: params.uri });
    return resource;
  });
  server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  return server;
}

function channelOf(extra: RequestHandlerExtra<ServerRequest, ServerNotification>): ClientChannel {
  return {
    async progress(done, total) {
      const progressToken = extra._meta?.progressToken;
      if (progressToken === undefined) return;
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: done, total } });
    },
    log: (message) => extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data: message } }),
    elicit: (message, requestedSchema) =>
      extra.sendRequest(
        { method: 'elicitation/create', params: { message, requestedSchema: { ...requestedSchema } as never } },
        ElicitResultSchema,
      ),
    async sample(prompt, maxTokens) {
      const { content } = await extra.sendRequest(
        { method: 'sampling/createMessage', params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens } },
        CreateMessageResultSchema,
      );
      return JSON.stringify(content);
    },
    closeStream: () => extra.closeSSEStream?.(),
  };
}
