import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BundleSource, openBundleSource } from '../../../extauthz/bundle-source.ts';
import { createPolicyEngine, type PolicyEngine } from '../../../extauthz/policy/engine.ts';
import { listBundleDirectory } from '../../../extauthz/read-bundle-directory.ts';
import { TEST_BUNDLE } from '../support/test-bundle.ts';
import { recordingLogger } from '../support/test-logger.ts';

describe('bundle source', () => {
  let root = '';
  let source: BundleSource | undefined;
  let refused = 0;
  let log = recordingLogger();

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sidegate-bundle-'));
    refused = 0;
    log = recordingLogger();
  });
  afterEach(() => {
    source?.close();
    source = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  const write = (files: Readonly<Record<string, string>>, below = 'bundle') => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(root, below, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  };
  const open = (engine: PolicyEngine = createPolicyEngine()) => {
    source = openBundleSource({ directory: join(root, 'bundle'), engine, logger: log.logger, onRefused: () => refused++ });
    return source;
  };
  const within = async (ms: number, condition: () => boolean) => {
    const until = performance.now() + ms;
    while (!condition()) {
      assert.ok(performance.now() < until, `not within ${ms} ms`);
      await sleep(5);
    }
  };

  it('takes a changed file by itself, and says so once', async () => {
    write(TEST_BUNDLE);
    const opened = open();
    const first = opened.current().revision;
    const told: string[] = [];
    const stopTelling = opened.onChange(({ revision }) => told.push(revision));
    write({ 'groups.yaml': 'users:\n  dave: [support]\n' });
    await within(20_000, () => opened.current().revision !== first);
    await sleep(900);
    assert.deepEqual(told, [opened.current().revision]);
    stopTelling();
    write({ 'groups.yaml': 'users: {}\n' });
    await within(20_000, () => opened.current().revision !== told[0]);
    assert.equal(told.length, 1);
  });

  it('refuses a broken file with its name, line and reason, keeps what is in force, and takes the mended one', async () => {
    write(TEST_BUNDLE);
    const opened = open();
    const first = opened.current();
    write({
      'policies/support.cedar': `${TEST_BUNDLE['policies/support.cedar']}\npermit (principal, action == Action::"tickets/no_such", resource);\n`,
    });
    await within(20_000, () => refused === 1);
    assert.equal(opened.current(), first);
    const line = log.lines.find(({ msg }) => String(msg).startsWith('policy bundle refused'));
    assert.equal(line?.['file'], 'policies/support.cedar');
    assert.equal(line?.['line'], 13);
    assert.match(String(line?.['reason']), /no_such/);
    assert.match(String(line?.['msg']), /^policy bundle refused: policies\/support\.cedar:13: .*no_such/);
    assert.equal(opened.problems().length > 0, true);
    await sleep(1_600);
    assert.equal(refused, 1, 'one refusal for one state of the directory');

    write({
      'policies/support.cedar': `${TEST_BUNDLE['policies/support.cedar']}\n@id("more")\npermit (principal, action == Action::"SendMethod", resource);\n`,
    });
    await within(20_000, () => opened.current() !== first);
    assert.deepEqual(opened.problems(), []);
  });

  it('keeps what is in force when the directory goes away or is emptied, and notices its return', async () => {
    write(TEST_BUNDLE);
    const opened = open();
    const first = opened.current();
    renameSync(join(root, 'bundle'), join(root, 'away'));
    await within(20_000, () => refused === 1);
    mkdirSync(join(root, 'bundle'));
    await within(20_000, () => refused === 2);
    assert.equal(opened.current(), first);
    write({ ...TEST_BUNDLE, 'groups.yaml': 'users: {}\n' });
    await within(20_000, () => opened.current() !== first);
  });

  it('follows the links of a Kubernetes mount', async () => {
    mkdirSync(join(root, 'bundle'));
    write(TEST_BUNDLE, 'bundle/..2026_01');
    symlinkSync('..2026_01', join(root, 'bundle', '..data'));
    for (const name of ['servers', 'policies', 'groups.yaml']) symlinkSync(`..data/${name}`, join(root, 'bundle', name));
    const opened = open();
    const first = opened.current().revision;
    write({ ...TEST_BUNDLE, 'groups.yaml': 'users: {}\n' }, 'bundle/..2026_02');
    symlinkSync('..2026_02', join(root, 'bundle', '..data_tmp'));
    renameSync(join(root, 'bundle', '..data_tmp'), join(root, 'bundle', '..data'));
    await within(20_000, () => opened.current().revision !== first);
    assert.equal(refused, 0);
  });

  it('survives a fault of the engine and of a listener', async () => {
    write(TEST_BUNDLE);
    const engine = createPolicyEngine();
    let broken = false;
    const opened = open({
      load(files) {
        if (broken) throw new Error('engine fault');
        return engine.load(files);
      },
    });
    const first = opened.current();
    opened.onChange(() => {
      throw new Error('listener fault');
    });
    broken = true;
    write({ 'groups.yaml': 'users: {}\n' });
    await within(20_000, () => refused === 1);
    assert.equal(opened.current(), first);
    broken = false;
    write({ 'groups.yaml': 'users: {erin: [support]}\n' });
    await within(20_000, () => opened.current() !== first);
    assert.match(log.text(), /engine fault[\s\S]*listener fault/);
  });

  it('does not start with a bundle that cannot be loaded, and says everything that is wrong', () => {
    assert.throws(open, { name: 'StartupError', message: 'the policy bundle cannot be loaded\n.: no such file or directory' });
    write({
      ...TEST_BUNDLE,
      'servers/bad.yaml': 'name: Bad Name\nurl: nowhere\n',
      'policies/bad.cedar': 'permit (principal, action, resource)',
    });
    assert.throws(open, (error: Error) => {
      assert.equal(error.name, 'StartupError');
      const [title, ...problems] = error.message.split('\n');
      assert.equal(title, 'the policy bundle cannot be loaded');
      assert.ok(problems.length >= 3, error.message);
      for (const problem of problems) assert.match(problem, /^(servers\/bad\.yaml|policies\/bad\.cedar)(:\d+)?: ./);
      return true;
    });
  });

  it('does not read without bounds', () => {
    write({ 'a/b/c/d/e/f/g/h/i/file': '' });
    assert.match(failureOf(listBundleDirectory(join(root, 'bundle'))), /^directories are nested deeper than 8$/);
    rmSync(join(root, 'bundle'), { recursive: true });
    write({ large: 'x'.repeat(8_388_609) });
    assert.match(failureOf(listBundleDirectory(join(root, 'bundle'))), /^larger than 8388608 bytes$/);
    rmSync(join(root, 'bundle'), { recursive: true });
    write({ 'policies/x.cedar': '' });
    symlinkSync('..', join(root, 'bundle', 'policies', 'loop'));
    assert.match(failureOf(listBundleDirectory(join(root, 'bundle'))), /^directories are nested deeper/);
  });
});

function failureOf(result: ReturnType<typeof listBundleDirectory>): string {
  return result.ok ? 'listed' : result.failure.reason;
}
