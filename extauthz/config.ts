import { type Environment, readSettings, SettingsError, type SettingValues, setting } from '../runtime/env.ts';
import { logLevel, otlpEndpoint } from '../runtime/process-settings.ts';
import { address, oneOf, optionalText, optionalUrl, text, url, wholeNumber } from '../runtime/setting-types.ts';
import { algorithms } from './identity/algorithms.ts';

/** The policy service's settings. */
export const extauthzSettings = {
  grpcListen: setting({
    env: 'SIDEGATE_GRPC_LISTEN',
    schema: address,
    default: ':9410',
    meaning: 'Where sidecars and proxies connect: gRPC over TLS.',
  }),
  httpListen: setting({
    env: 'SIDEGATE_HTTP_LISTEN',
    schema: address,
    default: ':9411',
    meaning: 'Where `/healthz`, `/readyz` and `/metrics` are served.',
  }),
  tlsCertFile: setting({
    env: 'SIDEGATE_TLS_CERT_FILE',
    schema: text,
    meaning: 'PEM file with the gRPC server’s certificate, followed by its intermediates.',
  }),
  tlsKeyFile: setting({
    env: 'SIDEGATE_TLS_KEY_FILE',
    schema: text,
    meaning: 'PEM file with the certificate’s private key.',
  }),
  bundleDir: setting({
    env: 'SIDEGATE_BUNDLE_DIR',
    schema: text,
    meaning:
      'Directory with the policy bundle. Changes take effect within a second; a bundle with a mistake is refused and the one in force stays.',
  }),
  secretsDir: setting({
    env: 'SIDEGATE_SECRETS_DIR',
    schema: optionalText,
    meaning:
      'Directory below which the credential strategy `file` finds users’ secrets. Without it, servers with that strategy are refused to everyone.',
  }),
  databaseFile: setting({
    env: 'SIDEGATE_DATABASE_FILE',
    schema: text,
    default: './sidegate.db',
    meaning: 'SQLite file for audit records; created when it does not exist.',
  }),
  oidcIssuer: setting({
    env: 'SIDEGATE_OIDC_ISSUER',
    schema: url,
    meaning: 'Issuer of user tokens, compared exactly with their `iss`.',
  }),
  oidcAudience: setting({
    env: 'SIDEGATE_OIDC_AUDIENCE',
    schema: text,
    default: 'sidegate',
    meaning: 'Audience that user tokens must carry. It must be Sidegate’s own: a token made for another service is not for us.',
  }),
  oidcJwksUri: setting({
    env: 'SIDEGATE_OIDC_JWKS_URI',
    schema: optionalUrl,
    meaning: 'Where the issuer’s keys are. By default its discovery document tells.',
  }),
  oidcAlgorithms: setting({
    env: 'SIDEGATE_OIDC_ALGORITHMS',
    schema: algorithms,
    default: 'RS256,ES256,EdDSA',
    meaning: 'Signature algorithms accepted in tokens, separated by commas. Only asymmetric ones are possible.',
  }),
  oidcGroupsClaim: setting({
    env: 'SIDEGATE_OIDC_GROUPS_CLAIM',
    schema: text,
    default: 'groups',
    meaning: 'Claim of the user token that holds group names.',
  }),
  workloadIssuer: setting({
    env: 'SIDEGATE_WORKLOAD_ISSUER',
    schema: text,
    meaning: 'Issuer of workload tokens, compared exactly with their `iss`: the cluster’s service-account issuer.',
  }),
  workloadAudience: setting({
    env: 'SIDEGATE_WORKLOAD_AUDIENCE',
    schema: text,
    default: 'sidegate-policy',
    meaning: 'Audience that workload tokens must carry.',
  }),
  workloadJwksUri: setting({
    env: 'SIDEGATE_WORKLOAD_JWKS_URI',
    schema: optionalUrl,
    meaning:
      'Where the workload issuer’s keys are, for example `https://kubernetes.default.svc/openid/v1/jwks`. By default its discovery document tells.',
  }),
  workloadJwksFile: setting({
    env: 'SIDEGATE_WORKLOAD_JWKS_FILE',
    schema: optionalText,
    meaning: 'The same keys as a JWK Set file, read again when it is replaced.',
  }),
  workloadJwksCaFile: setting({
    env: 'SIDEGATE_WORKLOAD_JWKS_CA_FILE',
    schema: optionalText,
    meaning: 'PEM file of the certificate authority to trust when fetching those keys: in a cluster, the service account’s `ca.crt`.',
  }),
  workloadJwksTokenFile: setting({
    env: 'SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE',
    schema: optionalText,
    meaning: 'Bearer token to send when fetching from `SIDEGATE_WORKLOAD_JWKS_URI`: in a cluster, the service account’s `token`.',
  }),
  checkAuth: setting({
    env: 'SIDEGATE_CHECK_AUTH',
    schema: oneOf(['token', 'none']),
    default: 'token',
    meaning:
      'How a proxy that calls Envoy’s `Check` proves itself. `token`: a workload token in the gRPC metadata `authorization`. `none`: not at all, and policies see no agent; only for a port that nobody but the proxy reaches.',
  }),
  reflection: setting({
    env: 'SIDEGATE_REFLECTION',
    schema: oneOf(['true', 'false']),
    default: 'false',
    meaning: 'Serves gRPC reflection, for development.',
  }),
  maxMessageBytes: setting({
    env: 'SIDEGATE_MAX_MESSAGE_BYTES',
    schema: wholeNumber(65_536, 268_435_456),
    default: '16777216',
    meaning: 'Largest gRPC message accepted, in bytes. Must exceed the sidecars’ `SIDEGATE_MAX_BODY_BYTES`.',
  }),
  leaseMs: setting({
    env: 'SIDEGATE_LEASE_MS',
    schema: wholeNumber(500, 600_000),
    default: '6000',
    meaning: 'Time that a sidecar may use cached decisions without hearing from the policy service, in milliseconds.',
  }),
  heartbeatMs: setting({
    env: 'SIDEGATE_HEARTBEAT_MS',
    schema: wholeNumber(100, 300_000),
    default: '2000',
    meaning: 'Time between two renewals of that lease, in milliseconds. Must be shorter than the lease.',
  }),
  drainMs: setting({
    env: 'SIDEGATE_DRAIN_MS',
    schema: wholeNumber(0, 3_600_000),
    default: '10000',
    meaning: 'Time that open questions have to be answered after SIGTERM, in milliseconds.',
  }),
  otlpEndpoint,
  logLevel,
} as const;

export type ExtauthzConfig = SettingValues<typeof extauthzSettings>;

/** @throws {SettingsError} naming each variable that is missing, malformed or at odds with another. */
export function readExtauthzConfig(env: Environment): ExtauthzConfig {
  const config = readSettings(extauthzSettings, env);
  const problems: string[] = [];
  if (config.heartbeatMs >= config.leaseMs) problems.push('SIDEGATE_HEARTBEAT_MS: must be shorter than SIDEGATE_LEASE_MS');
  if (config.workloadJwksUri !== undefined && config.workloadJwksFile !== undefined) {
    problems.push('SIDEGATE_WORKLOAD_JWKS_URI and SIDEGATE_WORKLOAD_JWKS_FILE: only one may be set');
  }
  if (config.workloadJwksTokenFile !== undefined && config.workloadJwksUri?.startsWith('https:') !== true) {
    problems.push('SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE: needs SIDEGATE_WORKLOAD_JWKS_URI with https');
  }
  // With one issuer and one audience for both, a sidecar's token would pass for a user's.
  if (config.oidcIssuer === config.workloadIssuer && config.oidcAudience === config.workloadAudience) {
    problems.push('SIDEGATE_WORKLOAD_AUDIENCE: must differ from SIDEGATE_OIDC_AUDIENCE when both kinds of token have one issuer');
  }
  if (config.workloadJwksUri === undefined && config.workloadJwksFile === undefined && !URL.canParse(config.workloadIssuer)) {
    problems.push('SIDEGATE_WORKLOAD_ISSUER: not a URL, so SIDEGATE_WORKLOAD_JWKS_URI or SIDEGATE_WORKLOAD_JWKS_FILE is required');
  }
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return config;
}
