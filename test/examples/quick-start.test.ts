import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { QuickStartOutcome } from '../../examples/quick-start/outcome.ts';

const MAIN = fileURLToPath(new URL('../../examples/quick-start/main.ts', import.meta.url));
const TOKEN = fileURLToPath(new URL('../../examples/token.ts', import.meta.url));
const TIMEOUT_MS = 300_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.once('exit', (exitCode) => resolve(exitCode)));
  const ended = Promise.all([code, text(child.stdout), text(child.stderr)]).then(([exitCode, stdout, stderr]) => ({
    code: exitCode,
    stdout,
    stderr,
  }));
  return { child, ended };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when a stream has shown this text. */
function shows(stream: NodeJS.ReadableStream, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (wanted.test(seen)) resolve(seen);
    });
    stream.once('end', () => reject(new Error(`ended without ${wanted}: ${seen}`)));
  });
}

describe('the quick start', { timeout: TIMEOUT_MS }, () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'sidegate-quick-start-'));
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  for (const { sdk, revision } of [
    { sdk: 'v1', revision: '2025-11-25' },
    { sdk: 'v2', revision: '2026-07-28' },
  ]) {
    it(`comes out as the bundle says, with the SDK ${sdk}`, async () => {
      const stateDir = join(parent, sdk);
      const { code, stdout, stderr } = await start(MAIN, ['--once', '--json', '--ports', 'auto', '--sdk', sdk, '--state-dir', stateDir])
        .ended;
      const outcome = JSON.parse(stdout || '{}') as QuickStartOutcome;
      assert.deepEqual(
        outcome.checks?.filter(({ ok }) => !ok),
        [],
        stderr,
      );
      assert.equal(code, 0, stderr);
      assert.equal(outcome.ok, true);
      assert.deepEqual(
        outcome.users.map(({ user }) => user),
        ['alice', 'bob'],
      );
      assert.equal(outcome.users[0]?.servers.find(({ server }) => server === 'tickets')?.protocolVersion, revision);
      assert.match(outcome.trace.traceId, /^[0-9a-f]{32}$/);
      assert.ok(outcome.latency.samples > 100 && outcome.latency.governedMedianMs > 0, JSON.stringify(outcome.latency));
      assert.equal(statSync(stateDir).mode & 0o777, 0o700);
      const pids = [...stderr.matchAll(/is ready \(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
      assert.equal(pids.length, 5);
      assert.deepEqual(pids.filter(isAlive), [], 'nothing is left running');
    });
  }

  it('stays up until it is interrupted, gives tokens, and leaves nothing running', async () => {
    const stateDir = join(parent, 'interactive');
    const { child, ended } = start(MAIN, ['--ports', 'auto', '--state-dir', stateDir]);
    assert.ok(child.stdout !== null);
    const page = await shows(child.stdout, /Logs are in /);
    assert.match(page, /All \d+ checks came out as the bundle says/);
    assert.match(page, /Authorization: Bearer <token>/);

    const alice = await start(TOKEN, ['alice'], { SIDEGATE_QUICK_START_DIR: stateDir }).ended;
    assert.equal(alice.code, 0, alice.stderr);
    const [, url] = /(http:\/\/localhost:\d+\/tickets\/mcp)/.exec(page) ?? [];
    const answer = await fetch(url ?? '', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${alice.stdout.trim()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_ticket","arguments":{"id":"T-101"}}}',
    });
    assert.equal(answer.status, 200);
    const { error } = (await answer.json()) as { error?: { code: number; message: string } };
    assert.deepEqual([error?.code, error?.message], [4030, 'Tickets are deleted by engineering on request; ask in #tickets.']);

    const stranger = await start(TOKEN, ['mallory'], { SIDEGATE_QUICK_START_DIR: stateDir }).ended;
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /^token: the issuer refuses: no user "mallory"; there are: alice, bob\n$/);

    const second = await start(MAIN, ['--once', '--ports', 'auto', '--state-dir', stateDir]).ended;
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      /^quick start: a quick start is running already \(pid \d+, in .*\): end it first, or run another beside it: `npm start -- --ports auto --state-dir DIR`\n$/,
    );

    const usualPorts = await start(MAIN, ['--once', '--state-dir', stateDir]).ended;
    assert.deepEqual([usualPorts.code, usualPorts.stderr], [1, second.stderr], 'and nothing about ports');

    assert.ok(child.stderr !== null);
    const policies = join(stateDir, 'bundle/policies/tickets.cedar');
    const original = readFileSync(policies, 'utf8');
    const refused = shows(
      child.stderr,
      /policy bundle refused: policies\/tickets\.cedar:1: .*\n(?:policy bundle refused: .*\n)*the policies before stay in force: revision [0-9a-f]{12}\n/,
    );
    writeFileSync(policies, `permit (principal, wrong);\n${original}`);
    await refused;
    const replaced = shows(child.stderr, /policy bundle replaced: revision [0-9a-f]{12} is in force\n/);
    writeFileSync(policies, `${original}\n// Mended.\n`);
    await replaced;

    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    const pids = [...stderr.matchAll(/is ready \(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
    assert.equal(pids.length, 5);
    assert.deepEqual(pids.filter(isAlive), []);

    const late = await start(TOKEN, ['alice'], { SIDEGATE_QUICK_START_DIR: stateDir }).ended;
    assert.equal(late.code, 1);
    assert.match(late.stderr, /no quick start is running in .*: start one with npm start/);
  });

  it('says so when the policy service ends while somebody plays with it', async () => {
    const stateDir = join(parent, 'policy-down');
    const { child, ended } = start(MAIN, ['--ports', 'auto', '--state-dir', stateDir]);
    assert.ok(child.stdout !== null && child.stderr !== null);
    const page = await shows(child.stdout, /Logs are in /);
    const noticed = shows(
      child.stderr,
      /policy service \(pid \d+\) ended: .*start it again: npx node --env-file=.*extauthz\.env bin\/sidegate\.ts extauthz serve/,
    );
    process.kill(Number(/^ {4}kill (\d+)$/m.exec(page)?.[1]), 'SIGTERM');
    await noticed;
    assert.equal(child.exitCode, null, 'the rest stays up');
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
  });

  for (const { case: name, args, code, message } of [
    { case: 'an unknown option', args: ['--twice'], code: 2, message: /^quick start: Unknown option '--twice'/ },
    { case: 'an unknown SDK', args: ['--sdk', 'v3'], code: 2, message: /^quick start: --sdk is v1 or v2, not "v3"\n$/ },
  ]) {
    it(`refuses ${name} in one line`, async () => {
      const ended = await start(MAIN, args).ended;
      assert.equal(ended.code, code);
      assert.equal(ended.stdout, '');
      assert.match(ended.stderr, message);
      assert.equal(ended.stderr.trimEnd().split('\n').length, 1, ended.stderr);
    });
  }

  it('leaves a directory alone that is not its own', async () => {
    const ended = await start(MAIN, ['--once', '--ports', 'auto', '--state-dir', parent]).ended;
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /^quick start: .* holds files that are not the quick start's: /);
    assert.ok(existsSync(join(parent, 'v1')) && readFileSync(join(parent, 'v1/quick-start.json'), 'utf8') !== '');
  });
});
