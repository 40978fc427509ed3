import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const MAIN = join(import.meta.dirname, '../../sidecar/main.ts');

/** What a sidecar has loaded once its own code is there. */
function loaded(): string {
  const script = `await import(${JSON.stringify(MAIN)}); console.log(process.moduleLoadList.join('\\n'));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('a starting sidecar', () => {
  it('does not load the copy of undici that Node carries', () => {
    const modules = loaded();
    assert.match(modules, /NativeModule _http_server\n/);
    assert.doesNotMatch(modules, /internal\/deps\/undici/);
  });
});
