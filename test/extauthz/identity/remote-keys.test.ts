import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchKeysWith } from '../../../extauthz/identity/fetch-keys.ts';
import { KeysUnavailable } from '../../../extauthz/identity/keys.ts';
import { type FetchKeys, remoteKeys } from '../../../extauthz/identity/remote-keys.ts';
import { verifyToken } from '../../../extauthz/identity/verify-token.ts';
import { startTestIssuer, type TestIssuer, USER_AUDIENCE, userClaims } from '../support/test-issuer.ts';
import { recordingLogger, silentLogger } from '../support/test-logger.ts';

const MINUTE_MS = 60_000;
const fetchPlain = fetchKeysWith({ namedBy: { caFile: 'CA', tokenFile: 'TOKEN' }, now: Date.now });

describe('remote keys', () => {
  let issuer: TestIssuer;
  /** Moves every clock but the timers: jose's and ours. */
  let aheadMs = 0;
  const now = () => realNow() + aheadMs;
  const realNow = Date.now.bind(Date);

  beforeEach(async () => {
    issuer = await startTestIssuer();
    aheadMs = 0;
    mock.method(Date, 'now', now);
  });
  afterEach(async () => {
    mock.restoreAll();
    await issuer.close();
  });

  const keysOf = (fetch: FetchKeys = fetchPlain) => remoteKeys({ from: { issuer: issuer.url }, fetch, now, logger: silentLogger });
  const rules = () => ({ issuer: issuer.url, audience: USER_AUDIENCE, algorithms: ['ES256'], types: ['jwt'] });
  const token = () => issuer.sign(userClaims(issuer, { exp: Math.floor(now() / 1_000) + 600 }));
  const kindOf = (result: Awaited<ReturnType<typeof verifyToken>>) => (result.ok ? 'ok' : result.failure.kind);

  it('fetches once for many tokens', async () => {
    const keys = keysOf();
    for (let i = 0; i < 5; i++) assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
    assert.equal(issuer.keyRequests, 1);
  });

  it('says keys_unavailable, and never lets pass, when there are no keys', async () => {
    issuer.behave('broken');
    const keys = keysOf();
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'keys_unavailable');
    issuer.behave('well');
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'keys_unavailable', 'the pause after a failure');
    aheadMs += 1_001;
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
  });

  it('says keys_unavailable when the issuer hangs', async () => {
    issuer.behave('hanging');
    assert.equal(kindOf(await verifyToken(await token(), rules(), keysOf(), now())), 'keys_unavailable');
  });

  it('follows a rotation, at most once in 30 s', async () => {
    const keys = keysOf();
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
    await issuer.rotate();
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'unknown_key');
    assert.equal(issuer.keyRequests, 1);
    aheadMs += 30_001;
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
    assert.equal(issuer.keyRequests, 2);
  });

  it('drops a withdrawn key once the keys are due again', async () => {
    const keys = keysOf();
    const old = await issuer.sign(userClaims(issuer, { exp: Math.floor(now() / 1_000) + 7_200 }));
    assert.equal(kindOf(await verifyToken(old, rules(), keys, now())), 'ok');
    await issuer.rotate({ withdraw: true });
    aheadMs += 10 * MINUTE_MS + 1;
    assert.equal(kindOf(await verifyToken(old, rules(), keys, now())), 'unknown_key');
  });

  it('uses the keys in hand for an hour while the issuer is away, without waiting for it long', async () => {
    const keys = keysOf();
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
    issuer.behave('hanging');
    aheadMs += 30 * MINUTE_MS;
    const startedAt = performance.now();
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'ok');
    assert.ok(performance.now() - startedAt < 1_800, 'must not wait for the whole time limit of a fetch');
    aheadMs += 41 * MINUTE_MS;
    issuer.behave('broken');
    assert.equal(kindOf(await verifyToken(await token(), rules(), keys, now())), 'keys_unavailable');
  });

  it('does not trust a discovery document of another issuer', async () => {
    const answers: Record<string, unknown> = { issuer: 'https://someone.else', jwks_uri: issuer.jwksUri };
    const keys = keysOf(async () => Response.json(answers));
    await assert.rejects(async () => keys({ alg: 'ES256' }), KeysUnavailable);
  });

  it('does not go from https to plain http for keys', async () => {
    const { logger, text } = recordingLogger();
    const asked: string[] = [];
    const keys = remoteKeys({
      from: { issuer: 'https://idp.example' },
      fetch: async (url) => {
        asked.push(url);
        return Response.json({ issuer: 'https://idp.example', jwks_uri: 'http://idp.example/jwks' });
      },
      now,
      logger,
    });
    await assert.rejects(async () => keys({ alg: 'ES256' }), KeysUnavailable);
    assert.deepEqual([...new Set(asked)], ['https://idp.example/.well-known/openid-configuration']);
    assert.match(text(), /without TLS/);
  });

  it('takes nothing but a JWK Set for keys', async () => {
    for (const body of [{}, { keys: 'x' }, [], null, 'text']) {
      const keys = remoteKeys({ from: { jwksUri: issuer.jwksUri }, fetch: async () => Response.json(body), now, logger: silentLogger });
      await assert.rejects(async () => keys({ alg: 'ES256' }), KeysUnavailable);
    }
  });

  it('starts to fetch before the first token', async () => {
    keysOf();
    for (let waited = 0; issuer.keyRequests === 0 && waited < 20_000; waited += 10) await sleep(10);
    assert.equal(issuer.keyRequests, 1);
  });
});
