import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CertificatesCommand, parseCertificatesCommand, writeCertificates } from '../../injector/certificates-command.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 21);
const directory = mkdtempSync(join(tmpdir(), 'sidegate-certificates-'));
after(() => rmSync(directory, { recursive: true }));

const command = (out: string): CertificatesCommand => ({
  out: join(directory, out),
  namespace: 'gate',
  policyNames: ['policy.example', '10.0.0.7'],
});
const certificate = (out: string, name: string) => new X509Certificate(readFileSync(join(directory, out, `${name}.crt`)));

test('makes an authority and two certificates by the names that Services have', async () => {
  await writeCertificates(command('new'), NOW_MS);
  const ca = certificate('new', 'ca');
  assert.ok(ca.ca && ca.verify(ca.publicKey));
  for (const name of ['extauthz', 'injector']) {
    const leaf = certificate('new', name);
    assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && !leaf.ca, name);
    assert.ok(leaf.checkHost(`sidegate-${name}.gate.svc`), `${name} is called by this name`);
    assert.equal(leaf.checkHost(`sidegate-${name}.default.svc`), undefined);
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'server authentication only');
    assert.equal(leaf.validToDate.getTime(), NOW_MS + 365 * DAY_MS);
  }
  const extauthz = certificate('new', 'extauthz');
  assert.ok(extauthz.checkHost('policy.example') && extauthz.checkIP('10.0.0.7'));
  assert.equal(certificate('new', 'injector').checkHost('policy.example'), undefined);
});

test('private keys are readable by their owner only', async () => {
  await writeCertificates(command('modes'), NOW_MS);
  for (const name of ['ca', 'extauthz', 'injector']) assert.equal(statSync(join(directory, 'modes', `${name}.key`)).mode & 0o777, 0o600);
});

test('run again, it renews the certificates under the same authority', async () => {
  await writeCertificates(command('again'), NOW_MS);
  const [ca, leaf] = [certificate('again', 'ca'), certificate('again', 'injector')];
  const written = await writeCertificates(command('again'), NOW_MS + 300 * DAY_MS);
  assert.ok(!written.some((path) => path.includes('/ca.')));
  assert.equal(certificate('again', 'ca').fingerprint256, ca.fingerprint256);
  assert.notEqual(certificate('again', 'injector').fingerprint256, leaf.fingerprint256);
  assert.ok(certificate('again', 'injector').verify(ca.publicKey));
});

test('an authority whose key is another’s, or that has expired, is refused', async () => {
  await writeCertificates(command('one'), NOW_MS);
  await writeCertificates(command('two'), NOW_MS);
  await assert.rejects(writeCertificates(command('two'), NOW_MS + 3_651 * DAY_MS), /ca\.crt expired/);
  writeFileSync(join(directory, 'one/ca.key'), readFileSync(join(directory, 'two/ca.key')));
  await assert.rejects(writeCertificates(command('one'), NOW_MS), /ca\.key is not the key of ca\.crt/);
  rmSync(join(directory, 'two/ca.key'));
  await assert.rejects(writeCertificates(command('two'), NOW_MS), /ca\.key: no such file/);
});

test('names that are none are refused before anything is written', () => {
  for (const name of ['a b', '-x', 'x..y', '']) {
    assert.deepEqual(parseCertificatesCommand(['--out=x', `--name=${name}`]), {
      problem: `certificates: "${name}" is neither a host name nor an address`,
    });
  }
  assert.deepEqual(parseCertificatesCommand(['--out', 'x', '--name', '::1', '--name', 'a.b']), {
    out: 'x',
    namespace: 'sidegate-system',
    policyNames: ['::1', 'a.b'],
  });
});
