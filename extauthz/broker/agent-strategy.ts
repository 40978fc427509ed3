import { ok } from '../api/result.ts';
import type { CredentialStrategy } from './credential-strategy.ts';

/** The `agent` strategy: the server authorizes the agent itself, so that there is nothing to add to what the agent shows it. */
export const agentStrategy: CredentialStrategy<{ readonly strategy: 'agent' }> = async () =>
  ok({ setHeaders: [], label: 'agent', expiresAtMs: undefined });
