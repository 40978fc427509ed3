import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { Attempt } from './attempt.ts';
import type { Link } from './link.ts';
import { MemoryOAuthProvider } from './memory-oauth-provider.ts';
import { given, type Scenario } from './scenario.ts';
import { userOptions } from './user-options.ts';
import { withAuthorization, withConnection } from './v1-connect.ts';

async function callEveryTool(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  for (const { name } of tools) await client.callTool({ name, arguments: {} });
}

/** What a client does in each scenario that needs no authorization. */
const WORK: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  async initialize(client) {
    await client.listTools();
  },
  async tools_call(client) {
    await client.listTools();
    await client.callTool({ name: 'add_numbers', arguments: { a: 2, b: 3 } });
  },
  'elicitation-sep1034-client-defaults': callEveryTool,
  'sse-retry': callEveryTool,
  async 'json-schema-2020-12-preservation'(client) {
    const { tools } = await client.listTools();
    const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
    await client.callTool({ name: 'json_schema_echo', arguments: { schema } });
  },
};

/** Flows without a user, as far as this line of the SDK has them. */
const MACHINES: Readonly<Record<string, (scenario: Scenario) => OAuthClientProvider>> = {
  'auth/client-credentials-basic': (scenario) =>
    new ClientCredentialsProvider({ clientId: given(scenario, 'client_id'), clientSecret: given(scenario, 'client_secret') }),
  'auth/client-credentials-jwt': (scenario) =>
    new PrivateKeyJwtProvider({
      clientId: given(scenario, 'client_id'),
      privateKey: given(scenario, 'private_key_pem'),
      algorithm: given(scenario, 'signing_algorithm'),
    }),
};

async function useServer(client: Client, attempt: Attempt): Promise<void> {
  await attempt(() => client.listTools());
  await attempt(() => client.callTool({ name: 'test-tool', arguments: {} }));
}

/**
 * Does what the scenario asks of a client on the v1 line of the official SDK.
 * @throws {Error} when the scenario is not known.
 */
export async function runV1Scenario(scenario: Scenario, link: Link): Promise<void> {
  const { name } = scenario;
  const work = WORK[name];
  const machine = MACHINES[name];
  if (work !== undefined) return withConnection(link, work);
  if (machine !== undefined) return withConnection(link, (client) => useServer(client, (step) => step()), machine(scenario));
  if (!name.startsWith('auth/')) throw new Error(`there is no client for the scenario ${name}`);
  await withAuthorization(link, new MemoryOAuthProvider(userOptions(scenario)), useServer);
}
