import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { claimStateDirectory, copyBundle, envFileText, runningQuickStart } from '../../examples/quick-start/state-directory.ts';

const BUNDLE = new URL('../../examples/bundle', import.meta.url).pathname;

describe('the state directory', () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'sidegate-state-'));
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  it('is private, and so is what is written into it', () => {
    const state = claimStateDirectory(join(parent, 'private'), 'http://issuer');
    const file = state.write('secrets/tickets/alice', 'secret');
    assert.equal(statSync(state.path).mode & 0o777, 0o700);
    assert.equal(statSync(join(state.path, 'secrets')).mode & 0o777, 0o700);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('says who uses it, and is not taken from somebody who runs', () => {
    const path = join(parent, 'used');
    claimStateDirectory(path, 'http://issuer');
    assert.deepEqual(runningQuickStart(path), { pid: process.pid, issuer: 'http://issuer' });
    assert.throws(() => claimStateDirectory(path, 'http://other'), {
      name: 'StartupError',
      message: new RegExp(`running already \\(pid ${process.pid}`),
    });
  });

  it('is emptied when whoever used it is gone', () => {
    const path = join(parent, 'left');
    const state = claimStateDirectory(path, 'http://issuer');
    const old = state.write('old', 'text');
    writeFileSync(join(path, 'quick-start.json'), '{"pid":4194304000,"issuer":"http://issuer"}');
    assert.equal(runningQuickStart(path), undefined);
    claimStateDirectory(path, 'http://issuer');
    assert.equal(existsSync(old), false);
  });

  it('is left alone when it holds somebody else’s files', () => {
    writeFileSync(join(parent, 'precious'), 'mine');
    assert.throws(() => claimStateDirectory(parent, 'http://issuer'), {
      name: 'StartupError',
      message: /holds files that are not the quick start's/,
    });
    assert.equal(readFileSync(join(parent, 'precious'), 'utf8'), 'mine');
  });

  it('gets a copy of the bundle whose servers are where they were started', () => {
    const target = join(parent, 'bundle');
    copyBundle(
      BUNDLE,
      target,
      new Map([
        [9_501, 40_001],
        [9_502, 40_002],
      ]),
    );
    assert.match(readFileSync(join(target, 'servers/tickets.yaml'), 'utf8'), /^url: http:\/\/127\.0\.0\.1:40001\/mcp$/m);
    assert.match(readFileSync(join(target, 'servers/everything.yaml'), 'utf8'), /^url: http:\/\/127\.0\.0\.1:40002\/mcp$/m);
    assert.equal(
      readFileSync(join(target, 'policies/tickets.cedar'), 'utf8'),
      readFileSync(join(BUNDLE, 'policies/tickets.cedar'), 'utf8'),
    );
  });

  it('says so when there is no bundle to copy', () => {
    assert.throws(() => copyBundle(join(parent, 'nowhere'), join(parent, 'copy'), new Map()), {
      name: 'StartupError',
      message: /nowhere is missing/,
    });
  });

  it('keeps an environment as a file that Node reads back', () => {
    const path = join(parent, 'an.env');
    const env = { SIDEGATE_BUNDLE_DIR: '/a dir/with #signs', SIDEGATE_LISTEN: '127.0.0.1:1' };
    writeFileSync(path, envFileText(env));
    process.loadEnvFile(path);
    for (const [name, value] of Object.entries(env)) {
      assert.equal(process.env[name], value);
      delete process.env[name];
    }
  });
});
