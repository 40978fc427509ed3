import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { CLIENT_INFO, type Connection, toErrorOutcome, toOutcome } from './connection.ts';

/** Connects with the v2 line of the official SDK: revision 2026-07-28 where the server has it, else `initialize`. */
export async function connectV2(url: string, token: string): Promise<Connection> {
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  return {
    // Without a cursor this line of the SDK collects every page itself, and answers an empty list for what a server does not have.
    async look(server) {
      const { tools } = await client.listTools();
      const { prompts } = await client.listPrompts();
      const { resources } = await client.listResources();
      return {
        server,
        protocolVersion: client.getNegotiatedProtocolVersion() ?? '',
        tools: tools.map(({ name }) => name),
        prompts: prompts.map(({ name }) => name),
        resources: resources.map(({ uri }) => uri),
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
