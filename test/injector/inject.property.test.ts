import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inject } from '../../injector/inject.ts';
import { jsonPatch } from '../../injector/json-patch.ts';
import type { Container, Pod } from '../../injector/pod.ts';
import { applyJsonPatch } from './apply-json-patch.ts';
import { TEST_TEMPLATE, TEST_VERSION } from './template.ts';

const OUR_VOLUMES = ['sidegate-token', 'sidegate-state', 'sidegate-no-api-token'] as const;
/** Mostly harmless, so that most pods get as far as being injected. */
const mostly = <T>(harmless: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(harmless) }, { weight: 1, arbitrary: fc.constantFrom(harmless, ...others) });

const env = fc.array(
  fc.oneof(
    fc.record({
      name: fc.constantFrom('MODE', 'SIDEGATE_URL', 'TICKETS_MCP_URL'),
      value: fc.constantFrom('', 'x', 'http://localhost:9400'),
    }),
    fc.constant({ name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }),
  ),
  { maxLength: 4 },
);
const container = fc.record(
  {
    name: mostly('agent', 'helper', 'sidegate'),
    image: fc.constantFrom('one', 'two'),
    env: fc.option(env),
    ports: fc.option(fc.array(fc.record({ containerPort: mostly(8_080, 9_400, 9_401) }), { maxLength: 2 })),
    volumeMounts: fc.option(
      fc.array(fc.record({ name: mostly<string>('data', ...OUR_VOLUMES), mountPath: fc.constant('/m') }), { maxLength: 2 }),
    ),
    securityContext: fc.option(fc.record({ runAsUser: mostly(1_000, 9_400) })),
  },
  { requiredKeys: ['name'] },
);
const forgedSidecar = fc.record({
  name: fc.constant('sidegate'),
  image: fc.constant('evil'),
  volumeMounts: fc.constant([{ name: 'sidegate-token', mountPath: '/t' }]),
});
const volume = fc.record({
  name: fc.constantFrom('data', ...OUR_VOLUMES),
  projected: fc.option(
    fc.record({
      sources: fc.array(fc.record({ serviceAccountToken: fc.record({ audience: mostly('vault', 'sidegate-policy') }) }), {
        maxLength: 2,
      }),
    }),
  ),
});
const anyPod = fc.record(
  {
    metadata: fc.option(
      fc.record(
        {
          name: fc.constant('p'),
          labels: fc.option(fc.dictionary(fc.constantFrom('app', 'sidegate.dev/inject'), mostly('enabled', 'disabled', 'x'))),
          annotations: fc.option(
            fc.dictionary(
              fc.constantFrom('note', 'sidegate.dev/servers', 'sidegate.dev/status'),
              fc.constantFrom('tickets', 'a,b', '', '{}'),
            ),
          ),
        },
        { requiredKeys: [] },
      ),
    ),
    spec: fc.record(
      {
        containers: fc.array(container, { minLength: 1, maxLength: 3 }),
        initContainers: fc.option(fc.array(fc.oneof(container, forgedSidecar), { maxLength: 3 })),
        volumes: fc.option(fc.array(volume, { maxLength: 4 })),
        hostNetwork: mostly(false, true),
        extra: fc.constant({ kept: true }),
      },
      { requiredKeys: ['containers'] },
    ),
  },
  { requiredKeys: ['spec'] },
);
/** As it comes off the wire. */
const pod = anyPod.map((value) => JSON.parse(JSON.stringify(value)) as Pod);

const run = (value: Pod) => inject(value, TEST_TEMPLATE, TEST_VERSION);

test('whatever the pod: injecting twice is injecting once', () => {
  let injected = 0;
  fc.assert(
    fc.property(pod, (value) => {
      const once = run(value);
      if (once.kind === 'refused') return;
      if (once.kind === 'injected') injected += 1;
      const twice = run(once.pod);
      assert.deepEqual({ kind: twice.kind, pod: 'pod' in twice && twice.pod }, { kind: once.kind, pod: once.pod });
    }),
    { numRuns: 3_000 },
  );
  assert.ok(injected > 1_000, `only ${injected} of the pods were injected: the property was hardly tried`);
});

test('whatever the pod: the patch does what injection does', () => {
  fc.assert(
    fc.property(pod, (value) => {
      const once = run(value);
      if (once.kind !== 'refused') assert.deepEqual(applyJsonPatch(value, jsonPatch(value, once.pod)), once.pod);
    }),
    { numRuns: 3_000 },
  );
});

test('whatever the pod: the input is left as it was', () => {
  fc.assert(
    fc.property(pod, (value) => {
      const before = structuredClone(value);
      run(value);
      assert.deepEqual(value, before);
    }),
  );
});

test('whatever the pod: an injected one has exactly one sidecar, first, ours, and nobody else has its volumes', () => {
  const [ours] = injectedContainers({ spec: { containers: [{ name: 'agent' }] } });
  fc.assert(
    fc.property(pod, (value) => {
      const result = run(value);
      if (result.kind !== 'injected') return;
      const { initContainers = [], containers } = result.pod.spec;
      const all = [...(initContainers ?? []), ...containers];
      assert.deepEqual(all[0], ours);
      assert.equal(all.filter(({ name }) => name === 'sidegate').length, 1);
      for (const { env: variables, volumeMounts } of all.slice(1)) {
        assert.equal(variables?.find(({ name }) => name === 'SIDEGATE_URL')?.value, 'http://localhost:9400');
        assert.ok(!volumeMounts?.some(({ name }) => name.startsWith('sidegate-')));
      }
    }),
    { numRuns: 2_000 },
  );
});

function injectedContainers(value: Pod): readonly Container[] {
  const result = run(value);
  assert.equal(result.kind, 'injected');
  return result.kind === 'injected' ? (result.pod.spec.initContainers ?? []) : [];
}
