import type { Secret } from '../../runtime/logger.ts';
import type { User } from '../api/principal.ts';
import type { Result } from '../api/result.ts';

/** How a server's calls get the user's credential. One member a strategy; the bundle's `servers/*.yaml` chooses. */
export type CredentialConfig =
  | { readonly strategy: 'none' }
  | {
      readonly strategy: 'file';
      /** Path below the secrets directory; `{user}` stands for the user's id. */
      readonly path: string;
      /** Header field that carries the credential. */
      readonly header: string;
      /** The field's value; `{secret}` stands for the secret. */
      readonly format: string;
    };

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

/** Obtains the credential that one user has for one server. */
export type CredentialStrategy<C extends CredentialConfig> = (config: C, user: User) => Promise<Result<Credential, CredentialFailure>>;
