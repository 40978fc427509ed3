import { parseArgs } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';

/**
 * Prints a server's tools as `{"tools": [...]}`, sorted by name: the file that a bundle's `tools:` setting names.
 *
 *     node examples/capture-tools.ts --url http://127.0.0.1:9502/mcp > examples/bundle/servers/everything.tools.json
 *
 * `TOKEN` in the environment is sent as a bearer token. The client declares every capability, because some servers offer more
 * tools to a client that can sample or ask its user.
 */
const { values } = parseArgs({ options: { url: { type: 'string' } } });
if (values.url === undefined) throw new Error('--url is required');
const token = process.env['TOKEN'];

const client = new Client(
  { name: 'capture-tools', version: '1.0.0' },
  {
    capabilities: {
      sampling: {},
      elicitation: { form: {}, url: {} },
      roots: {},
      tasks: { requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
    },
  },
);
const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(values.url), { requestInit: { headers } }) as Transport);
const tools: Tool[] = [];
let cursor: string | undefined;
do {
  const page = await client.listTools(cursor === undefined ? {} : { cursor });
  tools.push(...page.tools);
  cursor = page.nextCursor;
} while (cursor !== undefined);
await client.close();
process.stdout.write(`${JSON.stringify({ tools: tools.sort((a, b) => (a.name < b.name ? -1 : 1)) }, null, 2)}\n`);
