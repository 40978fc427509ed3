import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AdmissionReview } from '../../injector/review.ts';
import { tlsOptions } from '../../injector/server.ts';
import { createServerCertificate } from '../support/certificates.ts';
import { admissionReview } from './admission-review.ts';
import { ask, type Question, startWebhook } from './running-webhook.ts';

const AGENT = { metadata: { name: 'agent' }, spec: { containers: [{ name: 'agent', image: 'x' }] } };
const REVIEW = JSON.stringify(admissionReview(AGENT));

let webhook: Awaited<ReturnType<typeof startWebhook>>;
before(async () => {
  webhook = await startWebhook();
});
after(() => webhook.close());

const send = (question: Partial<Question>) => ask({ caPem: webhook.caPem, port: webhook.port, body: REVIEW, ...question });

test('a review for a new pod is answered with a patch', async () => {
  const { status, headers, body } = await send({});
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal((JSON.parse(body) as AdmissionReview).response.allowed, true);
});

test('the API server appends its timeout to the path', async () => {
  assert.equal((await send({ path: '/inject?timeout=5s' })).status, 200);
});

const errors: readonly (readonly [string, Partial<Question>, number])[] = [
  ['another path', { path: '/' }, 404],
  ['another method', { method: 'PUT' }, 405],
  ['another content type', { contentType: 'application/vnd.kubernetes.protobuf' }, 415],
  ['an empty body', { body: '' }, 400],
  ['a body that is cut short', { body: REVIEW.slice(0, -1) }, 400],
  ['a body that is no review', { body: '{"kind":"Pod"}' }, 400],
  ['a body over 8 MiB', { body: Buffer.alloc(8 * 1024 * 1024 + 1, ' ') }, 413],
];
for (const [name, question, status] of errors) {
  test(`not a review, so an HTTP error for failurePolicy to judge: ${name}`, async () => {
    const answer = await send(question);
    assert.equal(answer.status, status);
    assert.ok(!answer.body.includes('allowed'));
  });
}

test('a fault is an HTTP error, and says nothing about itself', async () => {
  const faulty = await startWebhook({
    template: () => {
      throw new Error('the inner workings');
    },
  });
  try {
    const { status, body } = await ask({ caPem: faulty.caPem, port: faulty.port, body: REVIEW });
    assert.deepEqual({ status, body }, { status: 500, body: 'fault\n' });
    assert.match(faulty.lines.join(''), /the inner workings/);
  } finally {
    await faulty.close();
  }
});

test('a refusal is logged with its reasons, and nothing of the pod but its name', async () => {
  const pod = { ...AGENT, spec: { hostNetwork: true, containers: [{ name: 'agent', env: [{ name: 'KEY', value: 'hunter2' }] }] } };
  await send({ body: JSON.stringify(admissionReview(pod)) });
  const line = JSON.parse(webhook.lines.at(-1) ?? '') as Record<string, unknown>;
  assert.deepEqual([line['pod'], line['outcome'], line['reasons']], ['support/agent', 'refused', ['host-network']]);
  assert.ok(!webhook.lines.join('').includes('hunter2'));
});

test('a replaced certificate serves new connections without a restart', async () => {
  const { certPem, keyPem, caPem } = await createServerCertificate();
  const replaced = await startWebhook();
  const askTrusting = (authority: string) => ask({ caPem: authority, port: replaced.port, body: REVIEW });
  try {
    await assert.rejects(askTrusting(caPem), 'the new authority is not in use yet');
    replaced.server.setSecureContext(tlsOptions({ certificatePem: certPem, privateKeyPem: keyPem }));
    assert.equal((await askTrusting(caPem)).status, 200);
    await assert.rejects(askTrusting(replaced.caPem), 'the old certificate is gone');
  } finally {
    await replaced.close();
  }
});

test('while stopping, it still answers but asks the caller to leave the connection', async () => {
  const stopping = await startWebhook({ stopping: () => true });
  try {
    const { status, headers } = await ask({ caPem: stopping.caPem, port: stopping.port, body: REVIEW });
    assert.deepEqual([status, headers.connection], [200, 'close']);
    assert.equal((await send({})).headers.connection, 'keep-alive', 'and otherwise it does not');
  } finally {
    await stopping.close();
  }
});
