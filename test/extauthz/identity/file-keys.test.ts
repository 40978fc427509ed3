import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileKeys } from '../../../extauthz/identity/file-keys.ts';
import { verifyToken } from '../../../extauthz/identity/verify-token.ts';
import { startTestIssuer, type TestIssuer, WORKLOAD_AUDIENCE, workloadClaims } from '../support/test-issuer.ts';
import { recordingLogger, silentLogger } from '../support/test-logger.ts';

describe('keys from a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-keys-'));
  const file = join(directory, 'jwks.json');
  let issuer: TestIssuer;
  let atMs = Date.now();
  const now = () => atMs;
  const rules = () => ({ issuer: issuer.url, audience: WORKLOAD_AUDIENCE, algorithms: ['ES256'], types: ['jwt'] });
  const verify = async (keys: ReturnType<typeof fileKeys>) => verifyToken(await issuer.sign(workloadClaims(issuer)), rules(), keys, atMs);

  before(async () => {
    issuer = await startTestIssuer();
  });
  after(async () => {
    await issuer.close();
    rmSync(directory, { recursive: true });
  });

  it('is read again when it is replaced, and keeps the last good keys when it is spoilt', async () => {
    const { logger, text } = recordingLogger();
    writeFileSync(file, JSON.stringify(issuer.jwks()));
    const keys = fileKeys(file, 'SETTING', now, logger);
    assert.equal((await verify(keys)).ok, true);

    await issuer.rotate({ withdraw: true });
    assert.equal((await verify(keys)).ok, false);
    writeFileSync(file, JSON.stringify(issuer.jwks()));
    atMs += 1_000;
    assert.equal((await verify(keys)).ok, true);

    writeFileSync(file, '{"keys":');
    atMs += 1_000;
    assert.equal((await verify(keys)).ok, true);
    assert.match(text(), /not a JWK Set/);
  });

  it('must be usable at start', () => {
    assert.throws(() => fileKeys(join(directory, 'none'), 'SETTING', now, silentLogger), /SETTING: cannot read .*no such file/);
    writeFileSync(file, 'no');
    assert.throws(() => fileKeys(file, 'SETTING', now, silentLogger), /SETTING: .* is not a JWK Set/);
  });
});
