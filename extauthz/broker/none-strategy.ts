import { ok } from '../api/result.ts';
import type { CredentialStrategy } from './credential-strategy.ts';

/** The `none` strategy: the server needs no credential, and the agent's own is still taken away. */
export const noneStrategy: CredentialStrategy<{ readonly strategy: 'none' }> = async () =>
  ok({ setHeaders: [], label: 'none', expiresAtMs: undefined });
