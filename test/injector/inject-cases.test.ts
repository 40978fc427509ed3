import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { inject } from '../../injector/inject.ts';
import { jsonPatch } from '../../injector/json-patch.ts';
import { injectManifests, type ResourceReport } from '../../injector/manifests.ts';
import { asPod } from '../../injector/pod.ts';
import { listItems, podOf } from '../../injector/workload.ts';
import { applyJsonPatch } from './apply-json-patch.ts';
import { TEST_TEMPLATE, TEST_VERSION } from './template.ts';

/**
 * Each folder below test/cases/injector is a case: in.yaml, out.yaml (absent when anything is refused) and report.txt.
 * UPDATE_CASES=1 writes what came out, to be read before it is committed.
 */
const CASES = fileURLToPath(new URL('../cases/injector/', import.meta.url));
const update = process.env['UPDATE_CASES'] === '1';
const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

for (const name of readdirSync(CASES).sort()) {
  const input = readFileSync(`${CASES}${name}/in.yaml`, 'utf8');

  test(`injector case: ${name}`, () => {
    const { yaml, reports } = run(input);
    const refused = reports.some(({ outcome }) => outcome === 'refused');
    expectFile(`${name}/report.txt`, reports.map(reportText).join(''));
    expectFile(`${name}/out.yaml`, refused ? undefined : yaml);
  });

  test(`injecting twice is injecting once: ${name}`, () => {
    const once = run(input);
    if (once.reports.some(({ outcome }) => outcome === 'refused')) return;
    const twice = run(once.yaml);
    assert.deepEqual(values(twice.yaml), values(once.yaml));
    assert.deepEqual(
      twice.reports.flatMap(({ outcome, notes }) => (outcome === 'injected' ? notes : [])),
      [],
      'the second time there is nothing to overwrite',
    );
  });

  for (const pod of pods(input)) {
    test(`patching is injecting: ${name}`, () => {
      const injection = inject(pod, TEST_TEMPLATE, TEST_VERSION);
      if (injection.kind === 'refused') return;
      assert.deepEqual(applyJsonPatch(pod, jsonPatch(pod, injection.pod)), injection.pod);
    });

    test(`kubectl applies the patch alike: ${name}`, { skip: kubectl ? false : 'SKIPPED: kubectl is not on this machine' }, () => {
      const injection = inject(pod, TEST_TEMPLATE, TEST_VERSION);
      if (injection.kind === 'refused') return;
      const whole = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'any' }, ...pod };
      const wanted = { ...whole, ...injection.pod };
      const args = ['patch', '--local', '-f', '-', '--type=json', '-o', 'json', '-p', JSON.stringify(jsonPatch(whole, wanted))];
      const patched: unknown = JSON.parse(execFileSync('kubectl', args, { input: JSON.stringify(whole), encoding: 'utf8' }));
      assert.deepEqual(patched, wanted);
    });
  }
}

function run(text: string): { yaml: string; reports: readonly ResourceReport[] } {
  const result = injectManifests(text, TEST_TEMPLATE, TEST_VERSION);
  assert.equal(result.kind, 'read');
  return result as Extract<typeof result, { kind: 'read' }>;
}

function reportText({ resource, outcome, notes }: ResourceReport): string {
  return [`${resource}: ${outcome}\n`, ...notes.map((note) => `  ${note}\n`)].join('');
}

function expectFile(path: string, text: string | undefined): void {
  const file = `${CASES}${path}`;
  if (update && text !== undefined) writeFileSync(file, text);
  if (update && text === undefined) rmSync(file, { force: true });
  assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : undefined, text, `${path} differs; UPDATE_CASES=1 rewrites it`);
}

function values(yaml: string): unknown[] {
  return parseAllDocuments(yaml, { version: '1.1' }).map((document) => document.toJS() as unknown);
}

function pods(yaml: string) {
  const resources = values(yaml).flatMap((value) => listItems(value) ?? [value]);
  return resources.flatMap((resource) => {
    const held = podOf(resource);
    const shaped = asPod(held?.pod);
    return 'pod' in shaped ? [shaped.pod] : [];
  });
}
