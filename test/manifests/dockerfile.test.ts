import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { SIDECAR_UID } from '../../injector/sidecar-container.ts';
import { REPOSITORY } from './compose-file.ts';

const dockerfile = readFileSync(join(REPOSITORY, 'Dockerfile'), 'utf8');
const ignore = readFileSync(join(REPOSITORY, '.dockerignore'), 'utf8').split('\n');
const directory = mkdtempSync(join(tmpdir(), 'sidegate-image-'));
after(() => rmSync(directory, { recursive: true }));

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly lines: readonly string[];
}

const stages: readonly Stage[] = dockerfile
  .split(/^(?=FROM )/m)
  .slice(1)
  .map((text) => {
    const [first = '', ...lines] = text.split('\n');
    const [, from = '', name = ''] = /^FROM (\S+) AS (\S+)$/.exec(first) ?? [];
    return { name, from, lines };
  });

/** What a stage copies from the repository (not from other stages): source and target. */
function copied(stage: string): { readonly source: string; readonly target: string }[] {
  const copies = (stages.find(({ name }) => name === stage)?.lines ?? []).filter((line) => /^COPY (?!--from)/.test(line));
  return copies.flatMap((line) => {
    const [target = '', ...sources] = line.split(/\s+/).slice(1).reverse();
    return sources.map((source) => ({ source, target: target === './' ? source : target }));
  });
}

test('the base image is pinned, to the Node that development machines run on', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { devDependencies: { node: string } };
  assert.match(dockerfile, new RegExp(`^ARG NODE_IMAGE=node:${devDependencies.node.replaceAll('.', '\\.')}-slim$`, 'm'));
  for (const { from } of stages) assert.ok(from === '$' + '{NODE_IMAGE}' || stages.some(({ name }) => name === from), from);
});

test('the last stage is the product: its user is the one the injector expects, its command is sidegate', () => {
  const product = stages.at(-1);
  assert.equal(product?.name, 'sidegate');
  assert.ok(product.lines.includes(`USER ${SIDECAR_UID}:${SIDECAR_UID}`));
  assert.ok(product.lines.includes('ENTRYPOINT ["node", "dist/bin/sidegate.js"]'));
});

test('no install script runs, so no second Node stands before the image’s', () => {
  for (const line of dockerfile.match(/npm ci.*/g) ?? []) assert.match(line, /--ignore-scripts/);
});

test('whatever is copied exists and is let through by .dockerignore', () => {
  assert.equal(
    ignore.find((line) => line !== '' && !line.startsWith('#')),
    '*',
    'only what is listed gets through',
  );
  for (const { source } of stages.flatMap(({ name }) => copied(name))) {
    assert.ok(existsSync(join(REPOSITORY, source)), source);
    assert.ok(ignore.includes(`!${source}`), `${source} is not in .dockerignore`);
  }
});

test('what is copied into the build stage is enough to build the command', { timeout: 120_000 }, () => {
  for (const { source, target } of copied('build')) cpSync(join(REPOSITORY, source), join(directory, target), { recursive: true });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  const env = { ...process.env, PATH: `${join(REPOSITORY, 'node_modules/.bin')}${delimiter}${process.env['PATH']}` };
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: directory, env, stdio: 'pipe' });
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ['dist/bin/sidegate.js', ...args], { cwd: directory, encoding: 'utf8' });
  assert.match(run('--version'), /^\d+\.\d+\.\d+$/m);
  for (const noun of ['sidecar', 'extauthz', 'injector']) assert.match(run(noun, '--help'), /sidegate/);
});
