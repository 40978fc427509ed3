import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, test } from 'node:test';
import { REPOSITORY } from './compose-file.ts';
import { find, podSpecOf } from './kubernetes-object.ts';
import { renderBase, withoutKubectl } from './rendered.ts';

const BUNDLE = join(REPOSITORY, 'manifests/base/bundle');
const directory = mkdtempSync(join(tmpdir(), 'sidegate-bundle-'));
after(() => rmSync(directory, { recursive: true }));

/** The ConfigMap's files by the paths that the Deployment gives them. */
function mountedFiles(): ReadonlyMap<string, string> {
  const objects = renderBase();
  const data = find(objects, 'ConfigMap', 'sidegate-bundle').data ?? {};
  const volume = podSpecOf(objects, 'sidegate-extauthz').volumes?.find(({ configMap }) => configMap?.name === 'sidegate-bundle');
  const items = volume?.configMap?.items ?? [];
  assert.deepEqual(items.map(({ key }) => key).sort(), Object.keys(data).sort(), 'every key has a place, and every place a key');
  return new Map(items.map(({ key, path }) => [path, data[key] ?? '']));
}

test('the ConfigMap, mounted, is the sample bundle', { skip: withoutKubectl }, () => {
  const files = readdirSync(BUNDLE, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(BUNDLE, path)).isFile());
  const wanted = new Map(files.map((path) => [path, readFileSync(join(BUNDLE, path), 'utf8')]));
  assert.deepEqual(new Map([...mountedFiles()].sort()), new Map([...wanted].sort()));
});

test('the policy service accepts the bundle as the kubelet lays it out, in symbolic links', { skip: withoutKubectl }, () => {
  const mount = join(directory, 'mount');
  const version = '..2026_11_21_10_00_00.123456789';
  for (const [path, text] of mountedFiles()) {
    const target = join(mount, version, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  symlinkSync(version, join(mount, '..data'));
  for (const name of readdirSync(join(mount, version))) symlinkSync(relative(mount, join(mount, '..data', name)), join(mount, name));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(REPOSITORY, 'bin/sidegate.ts'), 'extauthz', 'check', mount], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout + stderr, /1 server/);
});
