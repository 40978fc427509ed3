import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CLIENT_INFO, type Connection, everyPage, toErrorOutcome, toOutcome } from './connection.ts';

/** Connects with the v1 line of the official SDK: `initialize`, revisions to 2025-11-25. */
export async function connectV1(url: string, token: string): Promise<Connection> {
  const client = new Client(CLIENT_INFO);
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } });
  await client.connect(transport as Transport);
  const capabilities = client.getServerCapabilities();
  const cursorParams = (cursor: string | undefined) => (cursor === undefined ? {} : { cursor });
  return {
    async look(server) {
      const tools = everyPage(
        (cursor) => client.listTools(cursorParams(cursor)),
        (page) => page.tools.map(({ name }) => name),
      );
      const prompts = everyPage(
        (cursor) => client.listPrompts(cursorParams(cursor)),
        (page) => page.prompts.map(({ name }) => name),
      );
      const resources = everyPage(
        (cursor) => client.listResources(cursorParams(cursor)),
        (page) => page.resources.map(({ uri }) => uri),
      );
      return {
        server,
        protocolVersion: transport.protocolVersion ?? '',
        tools: await tools,
        prompts: capabilities?.prompts ? await prompts : [],
        resources: capabilities?.resources ? await resources : [],
      };
    },
    async call(tool, toolArguments) {
      try {
        return toOutcome(await client.callTool({ name: tool, arguments: { ...toolArguments } }));
      } catch (error) {
        return toErrorOutcome(error);
      }
    },
    close: () => client.close(),
  };
}
