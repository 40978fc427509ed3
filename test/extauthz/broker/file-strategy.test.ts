import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { User } from '../../../extauthz/api/principal.ts';
import { AGENT_CREDENTIAL_HEADERS, createBroker } from '../../../extauthz/broker/broker.ts';
import { userPathSegment } from '../../../extauthz/broker/user-path-segment.ts';
import type { CredentialSource } from '../../../extauthz/policy/engine.ts';

describe('credential strategy file', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sidegate-secrets-'));
    mkdirSync(join(directory, 'secrets', 'tickets'), { recursive: true });
    writeFileSync(join(directory, 'outside'), 'outside');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const root = () => join(directory, 'secrets');
  const put = (path: string, content: string | Buffer) => writeFileSync(join(root(), path), content);
  const user = (id: string): User => ({ id, subject: id, issuer: 'https://idp.example', groups: [] });
  const config = (changes: Partial<Extract<CredentialSource, { strategy: 'file' }>> = {}): CredentialSource => ({
    strategy: 'file',
    path: 'tickets/{user}',
    header: 'Authorization',
    format: 'Bearer {secret}',
    ...changes,
  });
  const issue = (id = 'alice', changes = {}) => createBroker({ secretsDir: root() }).issue(config(changes), user(id));
  const header = async (id = 'alice', changes = {}) => {
    const result = await issue(id, changes);
    return result.ok ? result.value.setHeaders[0]?.value.reveal() : `${result.failure.kind}: ${result.failure.detail}`;
  };

  it('gives each user their own', async () => {
    put('tickets/alice', 'alices-secret\n');
    put('tickets/bob', 'bobs-secret');
    assert.equal(await header('alice'), 'Bearer alices-secret');
    assert.equal(await header('bob'), 'Bearer bobs-secret');
  });

  it('names the header in lower case, says whose credential it is, and shows the secret nowhere', async () => {
    put('tickets/alice', 'alices-secret');
    const result = await issue();
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.setHeaders.map(({ name }) => name),
      ['authorization'],
    );
    assert.equal(result.value.label, 'file:alice');
    assert.doesNotMatch(`${inspect(result, { depth: 9 })}${JSON.stringify(result)}${result.value.setHeaders[0]?.value}`, /alices-secret/);
  });

  it('takes the secret as it is, replacement patterns too', async () => {
    put('tickets/alice', "$&$1$$`'");
    assert.equal(await header('alice', { format: '<{secret}>' }), "<$&$1$$`'>");
    put('tickets/alice', '{secret}{user}');
    assert.equal(await header(), 'Bearer {secret}{user}');
  });

  const unusable: readonly [string, string | Buffer][] = [
    ['an empty file', ''],
    ['only a newline', '\n'],
    ['two lines', 'a\nb'],
    ['a carriage return', 'a\rb'],
    ['two newlines at the end', 'a\n\n'],
    ['a NUL', 'a\0b'],
    ['a control character', 'a\u0001'],
    ['letters beyond ASCII', 'sécret'],
    ['bytes beyond ASCII', Buffer.from([0x61, 0xff])],
    ['more than fits a header', 'a'.repeat(8_193)],
  ];
  for (const [what, content] of unusable) {
    it(`refuses ${what}`, async () => {
      put('tickets/alice', content);
      assert.match(String(await header()), /^unusable: tickets\/alice /);
    });
  }

  it('drops one line ending, of either kind', async () => {
    put('tickets/alice', 'a\r\n');
    assert.equal(await header(), 'Bearer a');
    put('tickets/alice', 'a'.repeat(8_192));
    assert.equal(String(await header()).length, 'Bearer '.length + 8_192);
  });

  it('has none for a user without a file', async () => {
    assert.match(String(await header('carol')), /^absent: tickets\/carol/);
    put('tickets/alice', 'a');
    assert.match(String(await header('x', { path: 'tickets/alice/{user}' })), /^absent/);
    assert.match(String(await header('tickets', { path: '{user}' })), /^unusable: tickets: EISDIR/);
  });

  it('has none for anyone without a secrets directory', async () => {
    const result = await createBroker({ secretsDir: undefined }).issue(config(), user('alice'));
    assert.equal(!result.ok && result.failure.kind, 'unusable');
  });

  for (const id of [
    '../../outside',
    '../outside',
    '..',
    '.',
    '/etc/passwd',
    'alice/../../../outside',
    '..%2f..%2foutside',
    '..\\outside',
    'alice\0',
  ]) {
    it(`does not leave the directory for the user ${JSON.stringify(id)}`, async () => {
      put('tickets/alice', 'alices-secret');
      assert.match(String(await header(id)), /^absent: tickets\/[A-Za-z0-9_-]{43}: ENOENT$/);
      put(`tickets/${userPathSegment(id)}`, 'own');
      assert.equal(await header(id), 'Bearer own');
    });
  }

  it('does not follow a link out of the directory', async () => {
    symlinkSync(join(directory, 'outside'), join(root(), 'tickets', 'alice'));
    assert.match(String(await header()), /^unusable: .* outside the secrets directory/);
    symlinkSync('../../outside', join(root(), 'tickets', 'bob'));
    assert.match(String(await header('bob')), /^unusable: .* outside the secrets directory/);
    mkdirSync(join(directory, 'secrets-too'));
    writeFileSync(join(directory, 'secrets-too', 'x'), 'x');
    symlinkSync('../../secrets-too/x', join(root(), 'tickets', 'carol'));
    assert.match(String(await header('carol')), /^unusable: .* outside the secrets directory/);
  });

  it('follows the links of a Kubernetes mount, and sees a rotation at once', async () => {
    const mount = join(root(), 'tickets');
    mkdirSync(join(mount, '..2026_01'));
    writeFileSync(join(mount, '..2026_01', 'alice'), 'old');
    symlinkSync('..2026_01', join(mount, '..data'));
    symlinkSync('..data/alice', join(mount, 'alice'));
    assert.equal(await header(), 'Bearer old');

    mkdirSync(join(mount, '..2026_02'));
    writeFileSync(join(mount, '..2026_02', 'alice'), 'new');
    symlinkSync('..2026_02', join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    assert.equal(await header(), 'Bearer new');
    unlinkSync(join(mount, 'alice'));
    assert.match(String(await header()), /^absent/);
  });

  it('works when the secrets directory is itself a link', async () => {
    put('tickets/alice', 'a');
    symlinkSync(root(), join(directory, 'link'));
    const result = await createBroker({ secretsDir: join(directory, 'link') }).issue(config(), user('alice'));
    assert.equal(result.ok, true);
  });
});

describe('credential strategy none', () => {
  it('sets nothing, for everyone', async () => {
    const result = await createBroker({ secretsDir: undefined }).issue(
      { strategy: 'none' },
      { id: 'a', subject: 'a', issuer: 'i', groups: [] },
    );
    assert.deepEqual(result, { ok: true, value: { setHeaders: [], label: 'none', expiresAtMs: undefined } });
  });
});

describe('what the agent sent for itself', () => {
  it('is removed, whatever the strategy', () => {
    assert.deepEqual(AGENT_CREDENTIAL_HEADERS, ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key']);
  });
});
