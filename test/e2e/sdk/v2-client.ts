import { Client, StreamableHTTPClientTransport, type Transport, type VersionNegotiationMode } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import { ClientAnswers, type Root } from './client-answers.ts';
import { Inbox } from './inbox.ts';
import { CLIENT_INFO, commonSurface, type McpClient, requestOptions } from './mcp-client.ts';
import type { Program } from './program.ts';
import { type ConnectOptions, type SdkClient, transportOptions } from './sdk-client.ts';
import { Wire } from './wire.ts';

interface V2Surface extends McpClient {
  readonly sdk: Client;
}

export interface V2Client extends V2Surface, SdkClient {
  readonly transport: StreamableHTTPClientTransport;
}

export const MODERN = { pin: '2026-07-28' } as const;

const ANY_RESULT = z.looseObject({});

/** Connects the v2 line (`@modelcontextprotocol/client`) to an HTTP endpoint, in the era that `mode` asks for. */
export async function connectV2(
  url: string,
  token: string | undefined,
  mode: VersionNegotiationMode,
  options: ConnectOptions = {},
): Promise<V2Client> {
  const wire = new Wire();
  const transport = new StreamableHTTPClientTransport(new URL(url), transportOptions(wire, token, options));
  const client = await connect(transport, mode, options.roots);
  return { ...client, wire, transport, terminateSession: () => transport.terminateSession() };
}

/** Connects the v2 line to a program over its standard streams. */
export function connectV2Program(program: Program, mode: VersionNegotiationMode, roots: readonly Root[]): Promise<V2Surface> {
  return connect(new StdioClientTransport({ ...program, stderr: 'ignore' }), mode, roots);
}

/** Connects with every capability that a client can have. */
async function connect(transport: Transport, mode: VersionNegotiationMode, roots?: readonly Root[]): Promise<V2Surface> {
  const inbox = new Inbox();
  const answers = new ClientAnswers(roots);
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
  await sdk.connect(transport);
  const common = commonSurface(sdk);
  return {
    sdk,
    inbox,
    answers,
    troubles,
    ...common,
    handshake: () => ({
      protocolVersion: sdk.getNegotiatedProtocolVersion(),
      ...common.handshake(),
      discovered: sdk.getDiscoverResult(),
    }),
    callTool: (name, args = {}, options = {}) => sdk.callTool({ name, arguments: args }, requestOptions(options)),
    request: (method, params) => sdk.request({ method, ...(params && { params }) }, ANY_RESULT),
    close: () => sdk.close(),
  };
}
