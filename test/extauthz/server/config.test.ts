import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { extauthzSettings, readExtauthzConfig } from '../../../extauthz/config.ts';

const REQUIRED = {
  SIDEGATE_TLS_CERT_FILE: 'cert.pem',
  SIDEGATE_TLS_KEY_FILE: 'key.pem',
  SIDEGATE_BUNDLE_DIR: 'bundle',
  SIDEGATE_OIDC_ISSUER: 'https://idp.example',
  SIDEGATE_WORKLOAD_ISSUER: 'https://cluster.example',
};

describe('settings of the policy service', () => {
  it('have the documented names and defaults', () => {
    const { oidcAlgorithms, grpcListen, httpListen, ...config } = readExtauthzConfig(REQUIRED);
    assert.deepEqual(oidcAlgorithms, ['RS256', 'ES256', 'EdDSA']);
    assert.deepEqual(
      [grpcListen, httpListen],
      [
        { host: '::', port: 9_410 },
        { host: '::', port: 9_411 },
      ],
    );
    assert.deepEqual(config, {
      tlsCertFile: 'cert.pem',
      tlsKeyFile: 'key.pem',
      bundleDir: 'bundle',
      secretsDir: undefined,
      databaseFile: './sidegate.db',
      oidcIssuer: 'https://idp.example',
      oidcAudience: 'sidegate',
      oidcJwksUri: undefined,
      oidcGroupsClaim: 'groups',
      workloadIssuer: 'https://cluster.example',
      workloadAudience: 'sidegate-policy',
      workloadJwksUri: undefined,
      workloadJwksFile: undefined,
      workloadJwksCaFile: undefined,
      workloadJwksTokenFile: undefined,
      checkAuth: 'token',
      reflection: 'false',
      maxMessageBytes: 16_777_216,
      leaseMs: 6_000,
      heartbeatMs: 2_000,
      drainMs: 10_000,
      otlpEndpoint: undefined,
      logLevel: 'info',
    });
    assert.equal(new Set(Object.values(extauthzSettings).map(({ env }) => env)).size, Object.keys(extauthzSettings).length);
  });

  it('are all named when they are missing', () => {
    assert.throws(() => readExtauthzConfig({}), {
      name: 'SettingsError',
      message: Object.keys(REQUIRED)
        .map((name) => `${name} is required`)
        .join('; '),
    });
  });

  const refused: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
    ['a shared secret as proof', { SIDEGATE_OIDC_ALGORITHMS: 'RS256,HS256' }, /^SIDEGATE_OIDC_ALGORITHMS: "HS256": choose from RS256/],
    ['no proof', { SIDEGATE_OIDC_ALGORITHMS: 'none' }, /^SIDEGATE_OIDC_ALGORITHMS: "none"/],
    ['an empty algorithm', { SIDEGATE_OIDC_ALGORITHMS: 'RS256,' }, /^SIDEGATE_OIDC_ALGORITHMS: ""/],
    ['an issuer that is no URL', { SIDEGATE_OIDC_ISSUER: 'idp' }, /^SIDEGATE_OIDC_ISSUER: not a URL$/],
    [
      'a heartbeat longer than the lease',
      { SIDEGATE_HEARTBEAT_MS: '6000' },
      /^SIDEGATE_HEARTBEAT_MS: must be shorter than SIDEGATE_LEASE_MS$/,
    ],
    ['two places for keys', { SIDEGATE_WORKLOAD_JWKS_URI: 'https://x/jwks', SIDEGATE_WORKLOAD_JWKS_FILE: 'f' }, /only one may be set$/],
    ['a token without a place to send it', { SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE: 'f' }, /^SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE: needs/],
    [
      'a token in the clear',
      { SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE: 'f', SIDEGATE_WORKLOAD_JWKS_URI: 'http://x/jwks' },
      /^SIDEGATE_WORKLOAD_JWKS_TOKEN_FILE: needs .* https$/,
    ],
    [
      'one token for both roles',
      { SIDEGATE_WORKLOAD_ISSUER: 'https://idp.example', SIDEGATE_WORKLOAD_AUDIENCE: 'sidegate' },
      /^SIDEGATE_WORKLOAD_AUDIENCE: must differ from SIDEGATE_OIDC_AUDIENCE/,
    ],
    [
      'an issuer that cannot be asked for keys',
      { SIDEGATE_WORKLOAD_ISSUER: 'kubernetes/serviceaccount' },
      /^SIDEGATE_WORKLOAD_ISSUER: not a URL, so/,
    ],
    ['a switch that is neither', { SIDEGATE_CHECK_AUTH: 'off' }, /^SIDEGATE_CHECK_AUTH: must be one of: token, none$/],
  ];
  for (const [what, env, message] of refused) {
    it(`are refused with ${what}`, () =>
      assert.throws(() => readExtauthzConfig({ ...REQUIRED, ...env }), { name: 'SettingsError', message }));
  }
});
