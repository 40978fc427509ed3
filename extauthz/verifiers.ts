import type { Logger } from '../runtime/logger.ts';
import type { ExtauthzConfig } from './config.ts';
import { fetchKeysWith } from './identity/fetch-keys.ts';
import { fileKeys } from './identity/file-keys.ts';
import type { KeySource } from './identity/keys.ts';
import { remoteKeys } from './identity/remote-keys.ts';
import { createUserVerifier, type UserVerifier } from './identity/user.ts';
import { createWorkloadVerifier, type WorkloadVerifier } from './identity/workload.ts';

const NAMED_BY = { caFile: 'SIDEGATE_WORKLOAD_JWKS_CA_FILE', tokenFile: 'SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE' } as const;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Sets up the verification of both kinds of token, and begins to fetch the issuers' keys.
 * @throws {StartupError} when a file that the settings name cannot be used.
 */
export function createVerifiers(
  config: ExtauthzConfig,
  now: () => number,
  logger: Logger,
): { users: UserVerifier; workloads: WorkloadVerifier } {
  for (const url of [
    config.oidcJwksUri ?? config.oidcIssuer,
    config.workloadJwksFile === undefined ? (config.workloadJwksUri ?? config.workloadIssuer) : undefined,
  ]) {
    if (url !== undefined && isInTheClear(url))
      logger.warn({ url }, 'keys are fetched without TLS; whoever can change them on the way can forge tokens');
  }
  const userFrom = config.oidcJwksUri === undefined ? { issuer: config.oidcIssuer } : { jwksUri: config.oidcJwksUri };
  const userKeys = remoteKeys({ from: userFrom, fetch: fetchKeysWith({ namedBy: NAMED_BY, now }), now, logger });
  const { oidcIssuer, oidcAudience, oidcAlgorithms: algorithms, oidcGroupsClaim: groupsClaim, workloadIssuer, workloadAudience } = config;
  return {
    users: createUserVerifier({ issuer: oidcIssuer, audience: oidcAudience, algorithms, groupsClaim }, userKeys),
    workloads: createWorkloadVerifier(
      { issuer: workloadIssuer, audience: workloadAudience, algorithms },
      workloadKeys(config, now, logger),
    ),
  };
}

function isInTheClear(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !LOOPBACK.test(hostname);
}

function workloadKeys(config: ExtauthzConfig, now: () => number, logger: Logger): KeySource {
  const {
    workloadJwksFile,
    workloadJwksUri,
    workloadJwksCaFile: caFile,
    workloadJwksTokenFile: tokenFile,
    workloadIssuer: issuer,
  } = config;
  if (workloadJwksFile !== undefined) return fileKeys(workloadJwksFile, 'SIDEGATE_WORKLOAD_JWKS_FILE', now, logger);
  const fetch = fetchKeysWith({ caFile, tokenFile, tokenFor: workloadJwksUri, namedBy: NAMED_BY, now });
  return remoteKeys({ from: workloadJwksUri === undefined ? { issuer } : { jwksUri: workloadJwksUri }, fetch, now, logger });
}
