import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JWTPayload } from 'jose';
import { fetchKeysWith } from '../../../extauthz/identity/fetch-keys.ts';
import { remoteKeys } from '../../../extauthz/identity/remote-keys.ts';
import { createWorkloadVerifier, type WorkloadVerifier } from '../../../extauthz/identity/workload.ts';
import { nowS, startTestIssuer, type TestIssuer, userClaims, WORKLOAD_AUDIENCE, workloadClaims } from '../support/test-issuer.ts';
import { silentLogger } from '../support/test-logger.ts';

describe('workload tokens', () => {
  let issuer: TestIssuer;
  let workloads: WorkloadVerifier;

  before(async () => {
    issuer = await startTestIssuer('RS256');
    const fetch = fetchKeysWith({ namedBy: { caFile: 'CA', tokenFile: 'TOKEN' }, now: Date.now });
    const keys = remoteKeys({ from: { jwksUri: issuer.jwksUri }, fetch, now: Date.now, logger: silentLogger });
    workloads = createWorkloadVerifier({ issuer: issuer.url, audience: WORKLOAD_AUDIENCE, algorithms: ['RS256'] }, keys);
  });
  after(() => issuer.close());

  const verify = async (changes: JWTPayload, header = {}) =>
    workloads.verify(await issuer.sign(workloadClaims(issuer, changes), header), Date.now());

  it('accepts a projected service-account token', async () => {
    const exp = nowS() + 3_600;
    assert.deepEqual(await verify({ exp }), {
      ok: true,
      value: { agent: { namespace: 'agents', serviceAccount: 'helpdesk', pod: 'helpdesk-0' }, expiresAtMs: exp * 1_000 },
    });
  });

  it('accepts a token that is bound to no pod', async () => {
    const result = await verify({ 'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'helpdesk' } } });
    assert.equal(result.ok && result.value.agent.pod, undefined);
    assert.equal(result.ok, true);
  });

  it('accepts names with dots and dashes where Kubernetes allows them', async () => {
    const names = { namespace: 'team-a', serviceaccount: { name: 'bot.v-1' } };
    const result = await verify({ sub: 'system:serviceaccount:team-a:bot.v-1', 'kubernetes.io': names });
    assert.equal(result.ok, true);
  });

  const refused: readonly [string, string, JWTPayload][] = [
    [
      'a namespace that differs from the subject',
      'bad_claim',
      { 'kubernetes.io': { namespace: 'other', serviceaccount: { name: 'helpdesk' } } },
    ],
    [
      'a service account that differs from the subject',
      'bad_claim',
      { 'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'admin' } } },
    ],
    ['no kubernetes.io claim', 'bad_claim', { 'kubernetes.io': undefined }],
    ['a kubernetes.io claim that is an array', 'bad_claim', { 'kubernetes.io': [] }],
    ['no service account', 'bad_claim', { 'kubernetes.io': { namespace: 'agents' } }],
    ['a pod without a name', 'bad_claim', { 'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'helpdesk' }, pod: {} } }],
    ['the subject of a user', 'bad_claim', { sub: 'alice' }],
    ['a subject with a part more', 'bad_claim', { sub: 'system:serviceaccount:agents:helpdesk:x' }],
    ['a subject with an empty part', 'bad_claim', { sub: 'system:serviceaccount::helpdesk' }],
    ['the audience of users', 'wrong_audience', { aud: 'sidegate' }],
    ['an expired token', 'expired', { exp: nowS() - 60 }],
  ];
  for (const [what, kind, changes] of refused) {
    it(`refuses ${what}`, async () => {
      const result = await verify(changes);
      assert.equal(result.ok, false);
      assert.equal(!result.ok && result.failure.kind, kind);
    });
  }

  it('refuses a user token', async () => {
    const result = await workloads.verify(await issuer.sign(userClaims(issuer)), Date.now());
    assert.equal(!result.ok && result.failure.kind, 'wrong_audience');
  });

  it('refuses the types of other tokens, access tokens among them', async () => {
    const result = await verify({}, { typ: 'at+jwt' });
    assert.equal(!result.ok && result.failure.kind, 'unsupported_type');
  });
});
