import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { runInjector } from './running-command.ts';

const POD = `apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {containers: [{name: agent, image: x}]}
`;
const REFUSED = POD.replace('spec: {', 'spec: {hostNetwork: true, ');

const directory = mkdtempSync(join(tmpdir(), 'sidegate-inject-'));
const at = (name: string) => join(directory, name);
const OPTIONS = ['--image', 'sidegate:9', '--policy-address', 'policy.example:9410', '--policy-ca-file', at('ca.crt')];

before(async () => {
  const { code } = await runInjector(['certificates', '--out', directory]);
  assert.equal(code, 0);
  writeFileSync(at('pod.yaml'), POD);
  writeFileSync(at('refused.yaml'), REFUSED);
  writeFileSync(at('bomb.yaml'), `a: &a [x, x]\n${'bcdefgh'.replace(/./g, (letter) => bombLine(letter))}`);
  writeFileSync(at('broken.yaml'), 'kind: Pod\nmetadata: [\nspec: {}\n');
});
after(() => rmSync(directory, { recursive: true }));

test('inject writes manifests to standard output and one line a resource to standard error', async () => {
  const { code, stdout, stderr } = await runInjector(
    ['inject', '-f', at('pod.yaml'), '-f', '-', ...OPTIONS],
    {},
    POD.replace('agent}', 'second}'),
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr, 'pod/agent: injected\npod/second: injected\n');
  const pods = parseAllDocuments(stdout).map((document) => document.toJS() as { spec: { initContainers: { image: string; env: Env }[] } });
  assert.equal(pods.length, 2);
  const sidecar = pods[0]?.spec.initContainers[0];
  assert.equal(sidecar?.image, 'sidegate:9');
  assert.equal(valueIn(sidecar?.env, 'SIDEGATE_POLICY_ADDRESS'), 'policy.example:9410');
  assert.equal(valueIn(sidecar?.env, 'SIDEGATE_POLICY_CA_PEM'), readFileSync(at('ca.crt'), 'utf8'));
});

test('inject takes from the environment what no option says', async () => {
  const env = { SIDEGATE_SIDECAR_IMAGE: 'from-env', SIDEGATE_POLICY_ADDRESS: 'policy.example:1', SIDEGATE_POLICY_CA_FILE: at('ca.crt') };
  const { stdout } = await runInjector(['inject', '-f', at('pod.yaml'), '--policy-address', 'policy.example:2'], env);
  assert.match(stdout, /image: from-env/);
  assert.match(stdout, /value: policy\.example:2/);
});

test('inject puts certificates into pods and never a private key, whatever the CA file holds', async () => {
  writeFileSync(at('both.pem'), readFileSync(at('ca.key'), 'utf8') + readFileSync(at('ca.crt'), 'utf8'));
  const { stdout } = await runInjector(['inject', '-f', at('pod.yaml'), ...OPTIONS, '--policy-ca-file', at('both.pem')]);
  assert.match(stdout, /BEGIN CERTIFICATE/);
  assert.doesNotMatch(stdout, /PRIVATE/);
});

const failures: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['no file', ['inject', ...OPTIONS], 2, /-f is required/],
  ['an unknown option', ['inject', '-f', at('pod.yaml'), '--imagine', 'x'], 2, /--imagine/],
  ['an unknown command', ['injekt'], 2, /unknown command "injekt"/],
  [
    'settings that are missing, all at once',
    ['inject', '-f', at('pod.yaml')],
    1,
    /: --image \(SIDEGATE_SIDECAR_IMAGE\) is required; --policy-address \(SIDEGATE_POLICY_ADDRESS\) is required; --policy-ca-file \(SIDEGATE_POLICY_CA_FILE\) is required\n$/,
  ],
  ['a file that is missing', ['inject', '-f', at('none.yaml'), ...OPTIONS], 1, /none\.yaml: no such file/],
  [
    'a malformed option',
    ['inject', '-f', at('pod.yaml'), ...OPTIONS, '--policy-address', 'nowhere'],
    1,
    /: --policy-address \(SIDEGATE_POLICY_ADDRESS\): "nowhere" is not host:port/,
  ],
  [
    'a CA file that is missing',
    ['inject', '-f', at('pod.yaml'), ...OPTIONS, '--policy-ca-file', at('none.crt')],
    1,
    /: --policy-ca-file \(SIDEGATE_POLICY_CA_FILE\): cannot read .*none\.crt: no such file/,
  ],
  [
    'a CA file without certificates',
    ['inject', '-f', at('pod.yaml'), ...OPTIONS, '--policy-ca-file', at('pod.yaml')],
    1,
    /holds no certificate/,
  ],
  ['YAML that is broken, with its line', ['inject', '-f', at('broken.yaml'), ...OPTIONS], 1, /broken\.yaml: line 3: /],
  [
    'one refusal, and nothing is written',
    ['inject', '-f', at('pod.yaml'), '-f', at('refused.yaml'), ...OPTIONS],
    1,
    /pod\/agent: refused: hostNetwork/,
  ],
  ['certificates without a directory', ['certificates'], 2, /--out is required/],
  ['certificates for an impossible namespace', ['certificates', '--out', at('x'), '--namespace', 'A/B'], 2, /"A\/B" is not a namespace/],
  ['serve without its settings', ['serve'], 1, /SIDEGATE_TLS_CERT_FILE is required/],
];
for (const [name, args, code, message] of failures) {
  test(`fails plainly: ${name}`, async () => {
    const result = await runInjector(args);
    assert.equal(result.code, code, result.stderr);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, message);
    assert.doesNotMatch(result.stderr, /^\s+at /m, 'no stack');
  });
}

for (const args of [['--help'], ['serve', '--help'], ['inject', '-h'], ['certificates', '--help']]) {
  test(`help: ${args.join(' ')}`, async () => {
    const { code, stdout } = await runInjector(args);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: sidegate injector/);
  });
}

type Env = readonly { readonly name: string; readonly value: string }[];

function valueIn(env: Env | undefined, name: string): string | undefined {
  return env?.find((variable) => variable.name === name)?.value;
}

function bombLine(letter: string): string {
  const before = String.fromCharCode(letter.charCodeAt(0) - 1);
  return `${letter}: &${letter} [${`*${before}, `.repeat(9)}*${before}]\n`;
}
