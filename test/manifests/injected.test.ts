import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { injectManifests } from '../../injector/manifests.ts';
import { readSidecarConfig } from '../../sidecar/config.ts';
import { TEST_TEMPLATE } from '../injector/template.ts';
import { REPOSITORY } from './compose-file.ts';
import { type KubernetesObject, podSpecOf, podTemplates } from './kubernetes-object.ts';
import { schemaViolations, unknownFields } from './kubernetes-schema.ts';
import { parseObjects, renderExample, withoutKubectl } from './rendered.ts';
import { restrictedViolations } from './restricted.ts';

const CASES = join(REPOSITORY, 'test/cases/injector');
const injected: readonly (readonly [string, KubernetesObject[]])[] = readdirSync(CASES)
  .filter((name) => existsSync(join(CASES, name, 'out.yaml')))
  .map((name) => [name, parseObjects(readFileSync(join(CASES, name, 'out.yaml'), 'utf8'))]);

test('every injected case is what Kubernetes’ schema allows', async () => {
  for (const [name, objects] of injected) {
    // A List is not a kind of its own to the API server, and somebody else's kind has no schema here.
    const known = objects.filter(({ apiVersion, kind }) => kind !== 'List' && apiVersion !== 'example.com/v1');
    for (const object of known) assert.deepEqual(await schemaViolations(object), [], `${name}: ${object.kind}`);
    assert.equal(unknownFields(known), '', name);
  }
});

test('injection adds nothing that the restricted Pod Security Standard forbids', () => {
  for (const [name, objects] of injected) {
    for (const { spec } of podTemplates(objects)) {
      const ours = {
        ...spec,
        containers: [],
        initContainers: (spec.initContainers ?? []).filter((container) => container.name === 'sidegate'),
      };
      assert.deepEqual(restrictedViolations(ours), [], name);
    }
  }
});

test('the sidecar starts with the settings it is given', () => {
  const [, objects = []] = injected.find(([name]) => name === 'smallest-pod') ?? [];
  const sidecar = podTemplates(objects)[0]?.spec.initContainers?.[0];
  const config = readSidecarConfig(Object.fromEntries((sidecar?.env ?? []).map(({ name, value = '' }) => [name, value])));
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 9400 }, 'agents reach it on loopback, and nobody else does');
  assert.equal(config.adminListen.port, sidecar?.ports?.[0]?.containerPort);
  assert.equal(config.policyCaPem, TEST_TEMPLATE.policyCaPem);
  for (const path of [config.workloadTokenFile, config.stateDir ?? '']) {
    assert.ok(
      sidecar?.volumeMounts?.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`)),
      path,
    );
  }
});

test('the example agent, injected, still meets the restricted standard and Kubernetes’ schema', { skip: withoutKubectl }, async () => {
  const { yaml } = await renderExample();
  const result = injectManifests(yaml, TEST_TEMPLATE, '1.2.3');
  assert.equal(result.kind, 'read');
  if (result.kind !== 'read') return;
  const agent = result.reports.find(({ resource }) => resource === 'deployment/agent in example-agents');
  assert.deepEqual(agent, { resource: 'deployment/agent in example-agents', outcome: 'injected', notes: [] });
  const objects = parseObjects(result.yaml).filter(({ metadata }) => metadata.namespace === 'example-agents');
  const spec = podSpecOf(objects, 'agent');
  assert.deepEqual(restrictedViolations(spec), []);
  assert.equal(unknownFields(objects), '');
  assert.ok(
    spec.containers[0]?.env?.some(({ name, value }) => name === 'EVERYTHING_MCP_URL' && value === 'http://localhost:9400/everything/mcp'),
  );
});
