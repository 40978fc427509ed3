import type { MemoryOAuthProviderOptions } from './memory-oauth-provider.ts';
import { given, type Scenario } from './scenario.ts';

/** The one document that the suite knows for clients named by URL (Client ID Metadata Documents). */
const CLIENT_METADATA_URL = 'https://conformance-test.local/client-metadata.json';

/** How the user's OAuth client is set up in a scenario. */
export function userOptions(scenario: Scenario): MemoryOAuthProviderOptions {
  if (scenario.name === 'auth/basic-cimd') return { clientMetadataUrl: CLIENT_METADATA_URL };
  if (scenario.name !== 'auth/pre-registration') return {};
  return {
    preRegistered: {
      client_id: given(scenario, 'client_id'),
      client_secret: given(scenario, 'client_secret'),
      issuer: given(scenario, 'issuer'),
    },
  };
}
