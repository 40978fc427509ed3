import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { type BundleProblem, createPolicyEngine } from '../../../extauthz/policy/engine.ts';
import { type BundleData, bundleFiles } from './bundle-files.ts';

interface Case {
  readonly name: string;
  readonly bundle: BundleData;
  /** A line of null means: no line. */
  readonly problems: readonly { readonly file: string; readonly line: number | null; readonly reason: string }[];
}

const FOLDER = new URL('../../cases/policy/problems/', import.meta.url);

for (const file of readdirSync(FOLDER)) {
  describe(`a bad bundle is refused: ${file}`, () => {
    for (const { name, bundle, problems } of parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Case[]) {
      test(name, () => {
        const loaded = createPolicyEngine().load(bundleFiles(bundle));
        const want = problems.map((problem): BundleProblem => ({ ...problem, line: problem.line ?? undefined }));
        assert.deepEqual(loaded.ok ? [] : loaded.failure.map(withoutGuess), want);
      });
    }
  });
}

test('a file that is not UTF-8 is refused', () => {
  const files = bundleFiles({ 'servers/a.yaml': '{name: a, url: "http://h/mcp"}' });
  files.set('policies/a.cedar', Buffer.from([0x2f, 0x2f, 0xff]));
  const loaded = createPolicyEngine().load(files);
  assert.deepEqual(loaded, { ok: false, failure: [{ file: 'policies/a.cedar', line: undefined, reason: 'the file is not valid UTF-8' }] });
});

/** Which of several similar names Cedar suggests is its own affair. */
function withoutGuess(problem: BundleProblem): BundleProblem {
  return { ...problem, reason: problem.reason.replace(/ \(did you mean [^)]*\)$/, '') };
}
