import {
  type Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  requestJwtAuthorizationGrant,
} from '@modelcontextprotocol/client';
import type { Attempt } from './attempt.ts';
import type { Link } from './link.ts';
import { MemoryOAuthProvider } from './memory-oauth-provider.ts';
import { given, type Scenario } from './scenario.ts';
import { userOptions } from './user-options.ts';
import { withAuthorization, withConnection } from './v2-connect.ts';
import { WorkloadAssertionProvider } from './workload-assertion-provider.ts';

/** Flows without a user. */
const MACHINES: Readonly<Record<string, (scenario: Scenario) => OAuthClientProvider>> = {
  'auth/client-credentials-basic': (scenario) =>
    new ClientCredentialsProvider({ clientId: given(scenario, 'client_id'), clientSecret: given(scenario, 'client_secret') }),
  'auth/client-credentials-jwt': (scenario) =>
    new PrivateKeyJwtProvider({
      clientId: given(scenario, 'client_id'),
      privateKey: given(scenario, 'private_key_pem'),
      algorithm: given(scenario, 'signing_algorithm'),
    }),
  'auth/enterprise-managed-authorization': (scenario) =>
    new CrossAppAccessProvider({
      clientId: given(scenario, 'client_id'),
      clientSecret: given(scenario, 'client_secret'),
      async assertion({ authorizationServerUrl, resourceUrl, fetchFn }) {
        const { jwtAuthGrant } = await requestJwtAuthorizationGrant({
          tokenEndpoint: given(scenario, 'idp_token_endpoint'),
          audience: authorizationServerUrl,
          resource: resourceUrl,
          idToken: given(scenario, 'idp_id_token'),
          clientId: given(scenario, 'idp_client_id'),
          fetchFn,
        });
        return jwtAuthGrant;
      },
    }),
  'auth/wif-jwt-bearer': (scenario) => new WorkloadAssertionProvider(given(scenario, 'client_id'), given(scenario, 'valid_jwt')),
};

async function useServer(client: Client, attempt: Attempt): Promise<void> {
  await attempt(() => client.listTools());
  await attempt(() => client.callTool({ name: 'test-tool', arguments: {} }));
}

/** Gets what the server wants to see, and uses it. */
export async function authorizeScenario(scenario: Scenario, link: Link): Promise<void> {
  const machine = MACHINES[scenario.name];
  if (machine !== undefined)
    return withConnection(link, scenario.revision, (client) => useServer(client, (step) => step()), machine(scenario));
  const dpop = scenario.name.startsWith('auth/dpop') ? await DpopSession.create() : undefined;
  const provider = new MemoryOAuthProvider({ ...userOptions(scenario), ...(dpop !== undefined && { dpop }) });
  await withAuthorization(link, scenario.revision, provider, useServer);
}
