import type { Client } from '@modelcontextprotocol/client';
import { z } from 'zod';
import type { Link } from './link.ts';
import type { Scenario } from './scenario.ts';
import { authorizeScenario } from './v2-authorization.ts';
import { withConnection } from './v2-connect.ts';

type Work = (client: Client, scenario: Scenario) => Promise<void>;

const TOOL_CALLS = z.object({
  toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })),
});

async function listTools(client: Client): Promise<void> {
  await client.listTools();
}

async function callEveryTool(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  for (const { name } of tools) await client.callTool({ name, arguments: {} });
}

/** What a client does in each scenario that needs no authorization. */
const WORK: Readonly<Record<string, Work>> = {
  initialize: listTools,
  'request-metadata': listTools,
  // Whether the client fetches what a schema refers to shows when it compiles the schema, which a call makes it do.
  'json-schema-ref-no-deref': async (client) => {
    await client.listTools();
    await client.callTool({ name: 'lookup_user', arguments: { id: 'a-1' } }).catch(() => undefined);
  },
  async tools_call(client) {
    await client.listTools();
    await client.callTool({ name: 'add_numbers', arguments: { a: 2, b: 3 } });
  },
  'elicitation-sep1034-client-defaults': callEveryTool,
  'sse-retry': callEveryTool,
  async 'sep-2322-client-request-state'(client) {
    await client.listTools();
    const call = (name: string) => client.callTool({ name, arguments: {} });
    // Beside each other, so that the rounds of one could be mistaken for those of another.
    await Promise.all([call('test_mrtr_echo_state'), call('test_mrtr_no_state'), call('test_mrtr_unrelated')]);
    await call('test_mrtr_no_result_type');
  },
  async 'http-standard-headers'(client) {
    await callEveryTool(client);
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  },
  async 'http-custom-headers'(client, { context }) {
    await client.listTools();
    for (const { name, arguments: input } of TOOL_CALLS.parse(context).toolCalls) await client.callTool({ name, arguments: input });
  },
  // The SDK drops what it must not use from the list; whatever it kept is called.
  async 'http-invalid-tool-headers'(client) {
    const { tools } = await client.listTools();
    for (const { name } of tools) await client.callTool({ name, arguments: { region: 'north' } }).catch(() => undefined);
  },
  async 'json-schema-2020-12-preservation'(client) {
    const { tools } = await client.listTools();
    const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
    await client.callTool({ name: 'json_schema_echo', arguments: { schema } });
  },
};

/**
 * Does what the scenario asks of a client on the v2 line of the official SDK.
 * @throws {Error} when the scenario is not known.
 */
export async function runV2Scenario(scenario: Scenario, link: Link): Promise<void> {
  if (scenario.name.startsWith('auth/')) return authorizeScenario(scenario, link);
  const work = WORK[scenario.name];
  if (work === undefined) throw new Error(`there is no client for the scenario ${scenario.name}`);
  await withConnection(link, scenario.revision, (client) => work(client, scenario));
}
