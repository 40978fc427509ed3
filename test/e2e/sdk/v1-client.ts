import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { ClientAnswers, type Root } from './client-answers.ts';
import { Inbox } from './inbox.ts';
import { CLIENT_INFO, commonSurface, type McpClient, requestOptions } from './mcp-client.ts';
import type { Program } from './program.ts';
import { type ConnectOptions, type SdkClient, transportOptions } from './sdk-client.ts';
import { Wire } from './wire.ts';

interface V1Surface extends McpClient {
  readonly sdk: Client;
}

export interface V1Client extends V1Surface, SdkClient {
  readonly transport: StreamableHTTPClientTransport;
}

/** Connects the v1 line (`@modelcontextprotocol/sdk`) to an HTTP endpoint. */
export async function connectV1(url: string, token: string | undefined, options: ConnectOptions = {}): Promise<V1Client> {
  const wire = new Wire();
  const transport = new StreamableHTTPClientTransport(new URL(url), transportOptions(wire, token, options));
  const client = await connect(transport as Transport, options.roots);
  return {
    ...client,
    wire,
    transport,
    handshake: () => ({ protocolVersion: transport.protocolVersion, ...client.handshake() }),
    terminateSession: () => transport.terminateSession(),
  };
}

/** Connects the v1 line to a program over its standard streams. */
export async function connectV1Program(program: Program, roots: readonly Root[]): Promise<V1Surface> {
  const transport: Transport = new StdioClientTransport({ ...program, stderr: 'ignore' });
  let protocolVersion: string | undefined;
  transport.setProtocolVersion = (version) => (protocolVersion = version);
  const client = await connect(transport, roots);
  return { ...client, handshake: () => ({ protocolVersion, ...client.handshake() }) };
}

/** Connects with every capability that a client can have. */
async function connect(transport: Transport, roots?: readonly Root[]): Promise<V1Surface> {
  const inbox = new Inbox();
  const answers = new ClientAnswers(roots);
  const troubles: Error[] = [];
  const taskStore = new InMemoryTaskStore();
  const sdk = new Client(CLIENT_INFO, {
    capabilities: {
      sampling: {},
      elicitation: { form: {}, url: {} },
      roots: { listChanged: true },
      tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
    },
    taskStore,
  });
  sdk.onerror = (error) => troubles.push(error);
  sdk.fallbackNotificationHandler = async (notification) => inbox.add(notification);
  sdk.setRequestHandler(ListRootsRequestSchema, () => answers.listRoots());
  sdk.setRequestHandler(CreateMessageRequestSchema, async ({ params }, { taskStore, taskRequestedTtl }) => {
    const answer = answers.sample(params);
    if (params.task === undefined || taskStore === undefined) return answer;
    const task = await taskStore.createTask({ ttl: taskRequestedTtl ?? null });
    await taskStore.storeTaskResult(task.taskId, 'completed', answer);
    return { task };
  });
  sdk.setRequestHandler(ElicitRequestSchema, async ({ params }, { taskStore, taskRequestedTtl }) => {
    const answer = answers.elicit(params);
    if (params.task === undefined || taskStore === undefined) return answer;
    const task = await taskStore.createTask({ ttl: taskRequestedTtl ?? null });
    await taskStore.storeTaskResult(task.taskId, 'completed', answer);
    return { task };
  });
  await sdk.connect(transport);
  return {
    sdk,
    inbox,
    answers,
    troubles,
    ...commonSurface(sdk),
    callTool: (name, args = {}, options = {}) => sdk.callTool({ name, arguments: args }, undefined, requestOptions(options)),
    request: (method, params) => sdk.request({ method, ...(params && { params }) }, ResultSchema),
    async close() {
      await sdk.close();
      // Its timers would keep the process up for as long as tasks are kept.
      taskStore.cleanup();
    },
  };
}
