import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { fetchKeysWith } from '../../../extauthz/identity/fetch-keys.ts';
import { remoteKeys } from '../../../extauthz/identity/remote-keys.ts';
import { createUserVerifier, type UserVerifier } from '../../../extauthz/identity/user.ts';
import { nowS, startTestIssuer, type TestIssuer, USER_AUDIENCE, userClaims, workloadClaims } from '../support/test-issuer.ts';
import { silentLogger } from '../support/test-logger.ts';

const NAMED_BY = { caFile: 'CA', tokenFile: 'TOKEN' };

describe('user tokens', () => {
  let issuer: TestIssuer;
  let other: TestIssuer;
  let users: UserVerifier;

  const verifierOf = (from: TestIssuer, algorithms = ['RS256', 'ES256', 'EdDSA']) =>
    createUserVerifier(
      { issuer: from.url, audience: USER_AUDIENCE, algorithms, groupsClaim: 'groups' },
      remoteKeys({
        from: { issuer: from.url },
        fetch: fetchKeysWith({ namedBy: NAMED_BY, now: Date.now }),
        now: Date.now,
        logger: silentLogger,
      }),
    );

  before(async () => {
    issuer = await startTestIssuer();
    other = await startTestIssuer();
    users = verifierOf(issuer);
  });
  after(async () => {
    await issuer.close();
    await other.close();
  });

  it('accepts a good token, with its groups and its end', async () => {
    const exp = nowS() + 600;
    const result = await users.verify(await issuer.sign(userClaims(issuer, { exp })), Date.now());
    assert.deepEqual(result, {
      ok: true,
      value: { id: 'alice', subject: 'alice', issuer: issuer.url, tokenGroups: ['support'], expiresAtMs: exp * 1_000 },
    });
  });

  const accepted: readonly [string, JWTPayload, Partial<JWTHeaderParameters>][] = [
    ['an audience among several', { aud: ['other', USER_AUDIENCE] }, {}],
    ['an access token of RFC 9068', {}, { typ: 'at+jwt' }],
    ['the same with its full media type', {}, { typ: 'application/at+jwt' }],
    ['no typ', {}, { typ: undefined as never }],
    ['no groups', { groups: undefined }, {}],
    ['one group as a string', { groups: 'support' }, {}],
    ['exp just passed, within the clock tolerance', { exp: nowS() - 10 }, {}],
    ['nbf just ahead, within the clock tolerance', { nbf: nowS() + 10 }, {}],
  ];
  for (const [what, claims, header] of accepted) {
    it(`accepts ${what}`, async () => {
      const result = await users.verify(await issuer.sign(userClaims(issuer, claims), header), Date.now());
      assert.equal(result.ok, true, JSON.stringify(result));
    });
  }

  const refused: readonly [string, string, JWTPayload, Partial<JWTHeaderParameters>][] = [
    ['another audience', 'wrong_audience', { aud: 'someone-else' }, {}],
    ['an audience that only begins the same', 'wrong_audience', { aud: 'sidegate-policy' }, {}],
    ['no audience', 'missing_claim', { aud: undefined as never }, {}],
    ['another issuer in the claim', 'wrong_issuer', { iss: 'https://evil.example' }, {}],
    ['the issuer with a slash more', 'wrong_issuer', { iss: 'SLASH' }, {}],
    ['an expired token', 'expired', { exp: nowS() - 31 }, {}],
    ['a token for later', 'not_yet_valid', { nbf: nowS() + 120 }, {}],
    ['no end', 'missing_claim', { exp: undefined as never }, {}],
    ['no subject', 'missing_claim', { sub: undefined as never }, {}],
    ['an empty subject', 'bad_claim', { sub: '' }, {}],
    ['a subject that is a number', 'bad_claim', { sub: 7 as never }, {}],
    ['a subject with a line break', 'bad_claim', { sub: 'alice\nbob' }, {}],
    ['groups that are not texts', 'bad_claim', { groups: ['support', 7] }, {}],
    ['groups that are an object', 'bad_claim', { groups: { support: true } }, {}],
    ['an ID-JAG', 'unsupported_type', {}, { typ: 'oauth-id-jag+jwt' }],
    ['a logout token', 'unsupported_type', {}, { typ: 'logout+jwt' }],
    ['a key id that nobody published', 'unknown_key', {}, { kid: 'nobody' }],
    ['a critical extension', 'unsupported_algorithm', {}, { crit: ['x'], x: 1 } as never],
  ];
  for (const [what, kind, claims, header] of refused) {
    it(`refuses ${what}`, async () => {
      const changed = claims.iss === 'SLASH' ? { ...claims, iss: `${issuer.url}/` } : claims;
      let token: string;
      if ('crit' in header) {
        const [, payload, signature] = (await issuer.sign(userClaims(issuer))).split('.');
        token = `${Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'key-1', ...header })).toString('base64url')}.${payload}.${signature}`;
      } else token = await issuer.sign(userClaims(issuer, changed), header);
      assertRefused(await users.verify(token, Date.now()), kind);
    });
  }

  it('refuses a token of another issuer, whatever issuer it claims', async () => {
    assertRefused(await users.verify(await other.sign(userClaims(other)), Date.now()), 'bad_signature');
    assertRefused(await users.verify(await other.sign(userClaims(issuer)), Date.now()), 'bad_signature');
  });

  it('refuses a workload token of the same issuer', async () => {
    assertRefused(await users.verify(await issuer.sign(workloadClaims(issuer)), Date.now()), 'wrong_audience');
  });

  it('refuses alg none in every spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url');
      const payload = Buffer.from(JSON.stringify(userClaims(issuer))).toString('base64url');
      for (const signature of ['', 'AA']) {
        const result = await users.verify(`${header}.${payload}.${signature}`, Date.now());
        assert.equal(result.ok, false);
      }
    }
  });

  it('refuses HS256 with the public key as the secret', async () => {
    const jwk = issuer.jwks().keys[0];
    assert.ok(jwk);
    const spki = await exportSPKI((await importJWK({ ...jwk, ext: true }, 'ES256', { extractable: true })) as never);
    for (const secret of [spki, JSON.stringify(jwk)]) {
      const token = await new SignJWT(userClaims(issuer)).setProtectedHeader({ alg: 'HS256', kid: 'key-1' }).sign(Buffer.from(secret));
      assertRefused(await users.verify(token, Date.now()), 'unsupported_algorithm');
    }
  });

  it('refuses a key that the token brings along', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const header = { alg: 'ES256', jwk: await exportJWK(publicKey), jku: `${other.url}/jwks` };
    const token = await new SignJWT(userClaims(issuer)).setProtectedHeader(header as JWTHeaderParameters).sign(privateKey);
    assertRefused(await users.verify(token, Date.now()), 'bad_signature');
  });

  it('refuses an algorithm that is not on the list', async () => {
    assertRefused(await verifierOf(issuer, ['RS256']).verify(await issuer.sign(userClaims(issuer)), Date.now()), 'unsupported_algorithm');
  });

  it('takes a token without key id only while there is one key it can mean', async () => {
    const rotating = await startTestIssuer();
    try {
      const withoutKid = await rotating.sign(userClaims(rotating), { kid: undefined as never });
      assert.equal((await verifierOf(rotating).verify(withoutKid, Date.now())).ok, true);
      await rotating.rotate();
      assertRefused(await verifierOf(rotating).verify(withoutKid, Date.now()), 'unknown_key');
    } finally {
      await rotating.close();
    }
  });

  it('refuses what is no JWT', async () => {
    assertRefused(await users.verify('', Date.now()), 'missing');
    for (const token of ['-', 'a.b', 'a.b.c', '....', `${'a'.repeat(20_000)}.b.c`, 'ey.ey.ey']) {
      assertRefused(await users.verify(token, Date.now()), 'malformed');
    }
  });

  it('refuses a token whose payload was changed', async () => {
    const [header, payload = '', signature] = (await issuer.sign(userClaims(issuer))).split('.');
    const changed = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('alice', 'admin')).toString('base64url');
    assertRefused(await users.verify(`${header}.${changed}.${signature}`, Date.now()), 'bad_signature');
  });

  it('does not let a cached verification outlive the token', async () => {
    const exp = nowS() + 60;
    const token = await issuer.sign(userClaims(issuer, { exp }));
    assert.equal((await users.verify(token, Date.now())).ok, true);
    assertRefused(await users.verify(token, (exp + 31) * 1_000), 'expired');
  });
});

function assertRefused(result: { ok: boolean; failure?: { kind: string } }, kind: string): void {
  assert.equal(result.ok, false);
  assert.equal(result.failure?.kind, kind, JSON.stringify(result));
}
