import type { Secret } from '../../runtime/logger.ts';
import type { User } from '../api/principal.ts';
import type { Result } from '../api/result.ts';
import type { CredentialSource } from '../policy/engine.ts';

/** A credential ready for the wire. */
export interface Credential {
  readonly setHeaders: readonly SecretHeader[];
  /** Whose credential it is, for audit: see `Obligations.credential`. */
  readonly label: string;
  /** Unix milliseconds after which it must not be used; undefined when it has no end of its own. */
  readonly expiresAtMs: number | undefined;
}

export interface SecretHeader {
  /** Lower-case field name. */
  readonly name: string;
  readonly value: Secret;
}

/**
 * - `absent`: this user has none
 * - `unusable`: there is one, but it cannot go into a header
 */
export interface CredentialFailure {
  readonly kind: 'absent' | 'unusable';
  /** For logs: names places, never the secret. */
  readonly detail: string;
}

/** Obtains the credential that one user has for one server. One function a strategy; the bundle's `servers/*.yaml` chooses. */
export type CredentialStrategy<C extends CredentialSource> = (source: C, user: User) => Promise<Result<Credential, CredentialFailure>>;
