import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { Inbox } from './inbox.ts';
import { CALL_TIMEOUT_MS, CLIENT_INFO, ClientAnswers, type ConnectOptions, type SdkClient } from './sdk-client.ts';
import { Wire } from './wire.ts';

export interface V2Client extends SdkClient {
  readonly sdk: Client;
  readonly transport: StreamableHTTPClientTransport;
}

export const MODERN = { pin: '2026-07-28' } as const;

const ANY_RESULT = z.looseObject({});

/**
 * Connects the v2 line (`@modelcontextprotocol/client`), in the era that `mode` asks for, with every capability that a client can have.
 */
export async function connectV2(
  url: string,
  token: string | undefined,
  mode: VersionNegotiationMode,
  { maxRetries = 0, sessionId }: ConnectOptions = {},
): Promise<V2Client> {
  const wire = new Wire();
  const inbox = new Inbox();
  const answers = new ClientAnswers();
  const troubles: Error[] = [];
  const sdk = new Client(CLIENT_INFO, {
    versionNegotiation: { mode },
    capabilities: { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } },
  });
  sdk.onerror = (error) => troubles.push(error);
  sdk.fallbackNotificationHandler = async (notification) => inbox.add(notification);
  sdk.setRequestHandler('roots/list', () => answers.listRoots());
  sdk.setRequestHandler('sampling/createMessage', ({ params }) => answers.sample(params));
  sdk.setRequestHandler('elicitation/create', ({ params }) => answers.elicit(params));
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: wire.fetch,
    requestInit: token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    ...(sessionId !== undefined && { sessionId }),
    reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 50, reconnectionDelayGrowFactor: 1, maxRetries },
  });
  await sdk.connect(transport);
  return {
    sdk,
    transport,
    wire,
    inbox,
    answers,
    troubles,
    handshake: () => ({
      protocolVersion: sdk.getNegotiatedProtocolVersion(),
      capabilities: sdk.getServerCapabilities(),
      server: sdk.getServerVersion(),
      instructions: sdk.getInstructions(),
      discovered: sdk.getDiscoverResult(),
    }),
    ping: () => sdk.ping(),
    listTools: () => sdk.listTools(),
    callTool: (name, args = {}, { onProgress, signal } = {}) =>
      sdk.callTool(
        { name, arguments: args },
        { timeout: CALL_TIMEOUT_MS, ...(onProgress && { onprogress: onProgress }), ...(signal && { signal }) },
      ),
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
    request: (method, params) => sdk.request({ method, ...(params && { params }) }, ANY_RESULT),
    terminateSession: () => transport.terminateSession(),
    close: () => sdk.close(),
  };
}
