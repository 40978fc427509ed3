import { Secret } from '../../runtime/logger.ts';
import { fail, ok } from '../api/result.ts';
import type { CredentialSource } from '../policy/engine.ts';
import type { CredentialStrategy } from './credential-strategy.ts';
import { readSecretFile } from './secret-file.ts';
import { userPathSegment } from './user-path-segment.ts';

type FileConfig = Extract<CredentialSource, { strategy: 'file' }>;

/** The `file` strategy: one file a user, in a directory that the operator mounts. */
export function fileStrategy(secretsDir: string | undefined): CredentialStrategy<FileConfig> {
  return async ({ path, header, format }, user) => {
    if (secretsDir === undefined) return fail({ kind: 'unusable', detail: 'SIDEGATE_SECRETS_DIR is not set' });
    const secret = readSecretFile(
      secretsDir,
      path.replaceAll('{user}', () => userPathSegment(user.id)),
    );
    if (!secret.ok) return secret;
    // By function, because `$` in a replacement text has a meaning of its own.
    const value = new Secret(format.replaceAll('{secret}', () => secret.value.reveal()));
    return ok({ setHeaders: [{ name: header.toLowerCase(), value }], label: `file:${user.id}`, expiresAtMs: undefined });
  };
}
