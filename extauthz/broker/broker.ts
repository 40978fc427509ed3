import type { User } from '../api/principal.ts';
import type { Result } from '../api/result.ts';
import type { CredentialSource } from '../policy/engine.ts';
import { agentStrategy } from './agent-strategy.ts';
import type { Credential, CredentialFailure } from './credential-strategy.ts';
import { fileStrategy } from './file-strategy.ts';
import { noneStrategy } from './none-strategy.ts';

/** Credentials that the agent might send. They are removed from every message: what was meant for Sidegate must not reach a server. */
export const AGENT_CREDENTIAL_HEADERS: readonly string[] = ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key'];

/** What the strategy `agent` leaves in a message: the credential that the server itself gave the agent (RFC 6750, RFC 9449). */
const OWN_CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(['authorization', 'dpop']);

/** Lower-case names of the fields that a message to a server with this strategy must lose. */
export function removedHeaders({ strategy }: CredentialSource): readonly string[] {
  return strategy === 'agent' ? AGENT_CREDENTIAL_HEADERS.filter((name) => !OWN_CREDENTIAL_HEADERS.has(name)) : AGENT_CREDENTIAL_HEADERS;
}

export interface Broker {
  /** The credential of `user` under the server's strategy. A failure means that the call must not go out: there is no anonymous fallback. */
  issue(source: CredentialSource, user: User): Promise<Result<Credential, CredentialFailure>>;
}

/** @param secretsDir where the `file` strategy looks; undefined leaves it without credentials. */
export function createBroker({ secretsDir }: { readonly secretsDir: string | undefined }): Broker {
  const file = fileStrategy(secretsDir);
  return {
    issue(source, user) {
      switch (source.strategy) {
        case 'none':
          return noneStrategy(source, user);
        case 'agent':
          return agentStrategy(source, user);
        case 'file':
          return file(source, user);
      }
    },
  };
}
