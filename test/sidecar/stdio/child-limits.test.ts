import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AllowedCommands } from '../../../sidecar/stdio/allowed-commands.ts';
import { childEnvironment } from '../../../sidecar/stdio/child-environment.ts';
import { RestartBackoff } from '../../../sidecar/stdio/restart-backoff.ts';
import { StderrLog } from '../../../sidecar/stdio/stderr-log.ts';

describe('SIDEGATE_STDIO_COMMANDS', () => {
  it('allows nothing by default, and only what is written exactly alike', () => {
    assert.equal(new AllowedCommands(undefined).has('node'), false);
    const allowed = new AllowedCommands(' uvx , /usr/bin/node,');
    const tried = ['uvx', '/usr/bin/node', 'node', '/usr/bin/../bin/node', 'UVX', '', 'uvx ', '/usr/bin/node '];
    assert.deepEqual(
      tried.filter((command) => allowed.has(command)),
      ['uvx', '/usr/bin/node'],
    );
  });

  it('refuses what could never match', () => {
    for (const entry of ['./server', 'bin/server', 'sh -c', '/a/../b', '/', 'a;b']) {
      assert.throws(() => new AllowedCommands(`node,${entry}`), { name: 'StartupError' }, entry);
    }
  });
});

describe('the environment of a stdio server', () => {
  it('has nothing of the sidecar’s own, and no variable that loads code, whatever the bundle says', () => {
    const own = { PATH: '/bin', HOME: '/h', SIDEGATE_POLICY_ADDRESS: 'x:1', NODE_OPTIONS: '--x', SECRET: 's' };
    const names = [
      'NOTES',
      'PATH',
      'LD_PRELOAD',
      'DYLD_INSERT_LIBRARIES',
      'node_options',
      'PYTHONPATH',
      'BASH_ENV',
      'SIDEGATE_X',
      'a=b',
      '',
    ];
    const env = childEnvironment(
      own,
      names.map((name) => ({ name, value: 'v' })),
    );
    assert.deepEqual(env, { PATH: '/bin', HOME: '/h', NOTES: 'v' });
  });
});

describe('restarts', () => {
  it('wait twice as long each time, up to half a minute, until one lives', () => {
    const backoff = new RestartBackoff();
    const delays = Array.from({ length: 9 }, () => {
      backoff.ended('k', 0, 100);
      return backoff.delayMs('k', 100);
    });
    assert.deepEqual(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert.equal(backoff.delayMs('other', 100), 0);
    backoff.ended('k', 0, 10_000);
    assert.equal(backoff.delayMs('k', 10_000), 0);
  });
});

describe('standard error', () => {
  it('is logged by lines, with a bound on their length and number', () => {
    let nowMs = 0;
    const lines: string[] = [];
    const log = new StderrLog(
      (line) => lines.push(line),
      () => nowMs,
    );
    log.push(Buffer.from('one\ntw'));
    log.push(Buffer.from('o\r\n\n'));
    assert.deepEqual(lines, ['one', 'two']);
    log.push(Buffer.from('y'.repeat(4_500)));
    assert.deepEqual(
      lines.slice(2).map(({ length }) => length),
      [2_000, 2_000],
    );
    log.push(Buffer.from(`\n${'z\n'.repeat(1_000)}`));
    assert.equal(lines.length, 200);
    nowMs = 10_000;
    log.push(Buffer.from('later\n'));
    assert.deepEqual(lines.slice(200), ['[805 lines left out]', 'later']);
  });
});
