import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const SCRIPT = new URL('../../scripts/install-once.mjs', import.meta.url).pathname;
const OLD = new Date('2026-01-01T00:00:00Z');
const NEW = new Date('2026-01-02T00:00:00Z');

/** Stands in for npm: writes down its arguments, says something on both outputs, and ends as it is told. */
const NPM = `import { writeFileSync } from 'node:fs';
writeFileSync('npm-ran', process.argv.slice(2).join(' '));
console.log('npm says');
process.exitCode = Number(process.env.NPM_EXIT ?? 0);
`;

const CASES = [
  { case: 'installs a fresh clone', locked: OLD, installed: undefined, npmExit: 0, ran: true, exit: 0 },
  { case: 'installs again when the lock file is newer', locked: NEW, installed: OLD, npmExit: 0, ran: true, exit: 0 },
  { case: 'does nothing when everything is there', locked: OLD, installed: NEW, npmExit: 0, ran: false, exit: 0 },
  { case: 'fails when npm fails', locked: OLD, installed: undefined, npmExit: 7, ran: true, exit: 7 },
  { case: 'refuses what is no clone', locked: undefined, installed: undefined, npmExit: 0, ran: false, exit: 1 },
];

describe('install-once', () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'sidegate-install-'));
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  for (const [index, { case: name, locked, installed, npmExit, ran, exit }] of CASES.entries()) {
    it(name, () => {
      const root = join(parent, `clone with space ${index}`);
      mkdirSync(join(root, 'scripts'), { recursive: true });
      cpSync(SCRIPT, join(root, 'scripts/install-once.mjs'));
      const npm = join(root, 'npm-cli.mjs');
      writeFileSync(npm, NPM);
      for (const [file, time] of [
        ['package-lock.json', locked],
        ['node_modules/.package-lock.json', installed],
      ] as const) {
        if (time === undefined) continue;
        mkdirSync(join(root, file, '..'), { recursive: true });
        writeFileSync(join(root, file), '{}');
        utimesSync(join(root, file), time, time);
      }
      const env = { PATH: process.env['PATH'] ?? '', npm_execpath: npm, npm_node_execpath: process.execPath, NPM_EXIT: String(npmExit) };
      const run = spawnSync(process.execPath, [join(root, 'scripts/install-once.mjs')], { cwd: parent, env, encoding: 'utf8' });
      assert.equal(run.status, exit, run.stderr);
      assert.equal(run.stdout, '', 'standard output is for the script that comes next');
      assert.equal(existsSync(join(root, 'npm-ran')), ran);
      if (ran) {
        assert.equal(readFileSync(join(root, 'npm-ran'), 'utf8'), 'ci --loglevel=error');
        assert.match(run.stderr, /npm says/);
      }
    });
  }
});
