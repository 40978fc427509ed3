import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PatchOperation } from '../../injector/json-patch.ts';
import { type AdmissionResponse, type Reviewed, review } from '../../injector/review.ts';
import { admissionReview } from './admission-review.ts';
import { applyJsonPatch } from './apply-json-patch.ts';
import { TEST_TEMPLATE, TEST_VERSION } from './template.ts';

const AGENT = { metadata: { name: 'agent' }, spec: { containers: [{ name: 'agent', image: 'x' }] } };

const ask = (body: unknown) => review(body, TEST_TEMPLATE, TEST_VERSION);

function answered(reviewed: Reviewed): Extract<Reviewed, { kind: 'answered' }> {
  assert.equal(reviewed.kind, 'answered');
  return reviewed as Extract<Reviewed, { kind: 'answered' }>;
}

function patchOf(response: AdmissionResponse): PatchOperation[] {
  assert.equal(response.patchType, 'JSONPatch');
  return JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as PatchOperation[];
}

test('the answer has the literals and the uid that the API server checks', () => {
  const { review: answer } = answered(ask(admissionReview(AGENT)));
  const { patch: _, ...response } = answer.response;
  assert.deepEqual(
    { ...answer, response },
    {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: {
        uid: 'c7b1f1d2-0000-4000-8000-000000000001',
        allowed: true,
        patchType: 'JSONPatch',
        auditAnnotations: { outcome: 'injected' },
      },
    },
  );
});

test('the patch adds the sidecar to the pod as it was sent', () => {
  const { review: answer } = answered(ask(admissionReview(AGENT)));
  const patched = applyJsonPatch(AGENT, patchOf(answer.response)) as typeof AGENT & { spec: { initContainers: { name: string }[] } };
  assert.equal(patched.spec.initContainers[0]?.name, 'sidegate');
});

test('a second call, after the API server has added its defaults, restores exactly our container', () => {
  const first = answered(ask(admissionReview(AGENT)));
  const stored = applyJsonPatch(AGENT, patchOf(first.review.response)) as { spec: { initContainers: Record<string, unknown>[] } };
  const withDefaults = structuredClone(stored);
  Object.assign(withDefaults.spec.initContainers[0] ?? {}, {
    terminationMessagePath: '/dev/termination-log',
    imagePullPolicy: 'IfNotPresent',
  });
  const second = answered(ask(admissionReview(withDefaults)));
  assert.deepEqual(applyJsonPatch(withDefaults, patchOf(second.review.response)), stored);
});

test('when nothing changes there is no patch', () => {
  const first = answered(ask(admissionReview(AGENT)));
  const injected = applyJsonPatch(AGENT, patchOf(first.review.response));
  const { response } = answered(ask(admissionReview(injected))).review;
  assert.equal(response.allowed, true);
  assert.ok(!('patch' in response) && !('patchType' in response));
});

test('a pod that cannot be governed is refused with every reason', () => {
  const pod = { ...AGENT, spec: { ...AGENT.spec, hostNetwork: true, shareProcessNamespace: true } };
  const { review: answer, outcome } = answered(ask(admissionReview(pod)));
  assert.equal(outcome, 'refused');
  assert.equal(answer.response.allowed, false);
  assert.equal(answer.response.patch, undefined);
  assert.equal(answer.response.status?.code, 403);
  assert.match(answer.response.status?.message ?? '', /^sidegate cannot govern this pod: hostNetwork: .*; shareProcessNamespace: /);
});

test('a pod that opts out is let in, marked and warned about', () => {
  const pod = { ...AGENT, metadata: { name: 'agent', labels: { 'sidegate.dev/inject': 'disabled' } } };
  const { review: answer, outcome } = answered(ask(admissionReview(pod)));
  assert.equal(outcome, 'opted-out');
  assert.deepEqual(answer.response.warnings, ['this pod is not governed: its label sidegate.dev/inject is "disabled"']);
  const patched = applyJsonPatch(pod, patchOf(answer.response)) as { metadata: { annotations: Record<string, string> }; spec: unknown };
  assert.deepEqual(JSON.parse(patched.metadata.annotations['sidegate.dev/status'] ?? ''), {
    injected: false,
    reason: 'sidegate.dev/inject=disabled',
  });
  assert.deepEqual(patched.spec, AGENT.spec);
});

test('a dry run is answered alike', () => {
  const real = answered(ask(admissionReview(AGENT)));
  const dry = answered(ask(admissionReview(AGENT, { dryRun: true })));
  assert.deepEqual(dry.review, real.review);
  assert.equal(dry.dryRun, true);
});

test('a pod whose name the API server makes up is known by its beginning', () => {
  const pod = { ...AGENT, metadata: { generateName: 'agent-7d9f-' } };
  assert.equal(answered(ask(admissionReview(pod))).pod, 'support/agent-7d9f-*');
});

const malformed: Readonly<Record<string, unknown>> = {
  'no object': null,
  'another API version': { ...admissionReview(AGENT), apiVersion: 'admission.k8s.io/v1beta1' },
  'no uid': admissionReview(AGENT, { uid: '' }),
  'another resource': admissionReview(AGENT, { resource: { group: 'apps', version: 'v1', resource: 'deployments' } }),
  'a subresource': admissionReview(AGENT, { subResource: 'ephemeralcontainers' }),
  'an update': admissionReview(AGENT, { operation: 'UPDATE' }),
  'no pod': admissionReview(null),
  'a pod without containers': admissionReview({ spec: { containers: [] } }),
  'labels that are no strings': admissionReview({ ...AGENT, metadata: { labels: { 'sidegate.dev/inject': true } } }),
};
for (const [name, body] of Object.entries(malformed)) {
  test(`not answered with a review: ${name}`, () => assert.equal(ask(body).kind, 'malformed'));
}
