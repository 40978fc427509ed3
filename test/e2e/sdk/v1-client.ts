import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { Inbox } from './inbox.ts';
import { CALL_TIMEOUT_MS, CLIENT_INFO, ClientAnswers, type ConnectOptions, type SdkClient } from './sdk-client.ts';
import { Wire } from './wire.ts';

export interface V1Client extends SdkClient {
  readonly sdk: Client;
  readonly transport: StreamableHTTPClientTransport;
}

/**
 * Connects the v1 line (`@modelcontextprotocol/sdk`) with every capability that a client can have.
 */
export async function connectV1(
  url: string,
  token: string | undefined,
  { maxRetries = 0, sessionId }: ConnectOptions = {},
): Promise<V1Client> {
  const wire = new Wire();
  const inbox = new Inbox();
  const answers = new ClientAnswers();
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
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: wire.fetch,
    requestInit: token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    ...(sessionId !== undefined && { sessionId }),
    reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 50, reconnectionDelayGrowFactor: 1, maxRetries },
  });
  await sdk.connect(transport as Transport);
  return {
    sdk,
    transport,
    wire,
    inbox,
    answers,
    troubles,
    handshake: () => ({
      protocolVersion: transport.protocolVersion,
      capabilities: sdk.getServerCapabilities(),
      server: sdk.getServerVersion(),
      instructions: sdk.getInstructions(),
    }),
    ping: () => sdk.ping(),
    listTools: () => sdk.listTools(),
    callTool: (name, args = {}, { onProgress, signal } = {}) =>
      sdk.callTool({ name, arguments: args }, undefined, {
        timeout: CALL_TIMEOUT_MS,
        ...(onProgress && { onprogress: onProgress }),
        ...(signal && { signal }),
      }),
    listPrompts: () => sdk.listPrompts(),
    getPrompt: (name, args) => sdk.getPrompt({ name, ...(args && { arguments: args }) }),
    listResources: () => sdk.listResources(),
    listResourceTemplates: () => sdk.listResourceTemplates(),
    readResource: (uri) => sdk.readResource({ uri }),
    subscribeResource: (uri) => sdk.subscribeResource({ uri }),
    unsubscribeResource: (uri) => sdk.unsubscribeResource({ uri }),
    complete: (params) => sdk.complete(params),
    setLoggingLevel: (level) => sdk.setLoggingLevel(level),
    sendRootsListChanged: () => sdk.sendRootsListChanged(),
    request: (method, params) => sdk.request({ method, ...(params && { params }) }, ResultSchema),
    terminateSession: () => transport.terminateSession(),
    async close() {
      await sdk.close();
      // Its timers would keep the process up for as long as tasks are kept.
      taskStore.cleanup();
    },
  };
}
