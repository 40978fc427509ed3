import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { watchCertificate } from '../../injector/certificate-files.ts';
import { createLogger } from '../../runtime/logger.ts';
import { admissionReview } from './admission-review.ts';
import { runInjector, startInjector } from './running-command.ts';
import { ask } from './running-webhook.ts';

const directory = mkdtempSync(join(tmpdir(), 'sidegate-serve-'));
const at = (name: string) => join(directory, name);
const files = { tlsCertFile: at('injector.crt'), tlsKeyFile: at('injector.key') };
const REVIEW = JSON.stringify(admissionReview({ metadata: { name: 'agent' }, spec: { containers: [{ name: 'agent' }] } }));

before(async () => {
  // The API server calls it by its Service's name; here it is reached by address, so the other certificate serves.
  await runInjector(['certificates', '--out', directory, '--name', '127.0.0.1']);
});
after(() => rmSync(directory, { recursive: true }));

const ENV = {
  SIDEGATE_INJECTOR_LISTEN: '127.0.0.1:0',
  SIDEGATE_INJECTOR_ADMIN_LISTEN: '127.0.0.1:0',
  SIDEGATE_TLS_CERT_FILE: at('extauthz.crt'),
  SIDEGATE_TLS_KEY_FILE: at('extauthz.key'),
  SIDEGATE_SIDECAR_IMAGE: 'sidegate:9',
  SIDEGATE_POLICY_ADDRESS: 'policy.example:9410',
  SIDEGATE_POLICY_CA_FILE: at('ca.crt'),
  SIDEGATE_DRAIN_MS: '300',
};

test('the process serves reviews, health and metrics, and goes on answering for its drain time after SIGTERM', {
  timeout: 30_000,
}, async () => {
  const child = startInjector(['serve'], ENV);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  try {
    const lines = createInterface({ input: child.stderr ?? process.stdin })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string) as Record<string, string>;
    const started = await next();
    assert.equal(started['msg'], 'injector started');
    const port = Number(started['webhook']?.split(':')[1]);
    const admin = `http://${started['admin']}`;
    const review = () => ask({ caPem: readFileSync(at('ca.crt'), 'utf8'), port, body: REVIEW });
    const get = async (path: string) => {
      const response = await fetch(`${admin}${path}`);
      return { status: response.status, text: await response.text() };
    };

    const { status, body } = await review();
    assert.equal(status, 200);
    const { patch } = (JSON.parse(body) as { response: { patch: string } }).response;
    assert.match(Buffer.from(patch, 'base64').toString(), /sidegate:9/);
    assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n' });
    assert.deepEqual(await get('/readyz'), { status: 200, text: 'ready\n' });
    assert.equal((await get('/nothing')).status, 404);
    const metrics = (await get('/metrics')).text;
    assert.match(metrics, /^sidegate_injector_reviews_total\{outcome="injected",dry_run="false".*\} 1$/m);
    assert.match(metrics, /^sidegate_injector_duration_seconds_count\{outcome="injected".*\} 1$/m);
    assert.match(metrics, /^sidegate_injector_certificate_expiry_seconds/m);

    await next();
    child.kill('SIGTERM');
    assert.equal((await next())['msg'], 'stopping');
    assert.deepEqual(await get('/readyz'), { status: 503, text: 'not ready: stopping\n' });
    assert.equal((await review()).headers.connection, 'close');
    assert.equal(await ended, 0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a certificate is read again when it is replaced, and kept while the new pair does not fit', async () => {
  const lines: string[] = [];
  const seen: string[] = [];
  const logger = createLogger('test', 'info', { write: (line) => lines.push(line) });
  const watched = watchCertificate(files, 20, ({ certificatePem }) => seen.push(certificatePem), logger);
  try {
    copyFileSync(at('extauthz.crt'), files.tlsCertFile);
    await until(() => lines.some((line) => line.includes('is not the key of')));
    assert.deepEqual(seen, []);
    copyFileSync(at('extauthz.key'), files.tlsKeyFile);
    await until(() => seen.length > 0);
    assert.deepEqual(seen, [readFileSync(at('extauthz.crt'), 'utf8')]);
    assert.equal(watched.current().certificatePem, seen[0]);
  } finally {
    watched.close();
  }
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000 && !condition(); tries += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(condition(), 'it did not come about within 20 s');
}
