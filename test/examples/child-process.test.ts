import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startChild, telltaleLine } from '../../examples/quick-start/child-process.ts';

const LOGS = [
  { case: 'nothing', log: '', line: '' },
  { case: 'a plain last line', log: 'starting\nport 1 is taken\n', line: 'port 1 is taken' },
  {
    case: 'an uncaught error of Node',
    log: 'file:///a.ts:1\nthrow new Error("broken");\n      ^\n\nError: broken\n    at file:///a.ts:1:7\n    at node:internal:1\n\nNode.js v26.10.0\n',
    line: 'Error: broken',
  },
  {
    case: 'a missing module, whose error has properties below it',
    log: "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/b.ts'\n    at x (y:1:1) {\n  code: 'ERR_MODULE_NOT_FOUND'\n}\n\nNode.js v26.10.0\n",
    line: "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/b.ts'",
  },
  {
    case: 'a JSON line followed by quieter ones',
    log: '{"level":"fatal","msg":"SIDEGATE_TLS_KEY_FILE: cannot read k: no such file"}\n{"level":"info","msg":"stopped"}\n',
    line: 'SIDEGATE_TLS_KEY_FILE: cannot read k: no such file',
  },
  {
    case: 'a JSON line with an error',
    log: '{"level":"error","msg":"could not start","err":{"message":"no disk"}}\n',
    line: 'could not start: no disk',
  },
];

describe('the line of a log that says what went wrong', () => {
  for (const { case: name, log, line } of LOGS) it(name, () => assert.equal(telltaleLine(log), line));
});

describe('a child process', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'sidegate-child-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const program = (name: string, text: string): string => {
    const path = join(directory, `${name}.mjs`);
    writeFileSync(path, text);
    return path;
  };
  const options = (name: string, text: string, ready: () => Promise<boolean>) => ({
    name,
    args: [program(name, text)],
    env: { PATH: process.env['PATH'] ?? '', ONLY: 'this' },
    logFile: join(directory, `${name}.log`),
    ready,
  });

  it('is waited for, gets the environment it was given and no other, and is stopped', async () => {
    let asked = 0;
    const child = await startChild(
      options(
        'good',
        'console.log(JSON.stringify(process.env)); process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000);',
        async () => {
          asked += 1;
          if (asked < 3) throw new Error('not yet');
          return readFileSync(join(directory, 'good.log'), 'utf8') !== '';
        },
      ),
    );
    assert.ok(asked >= 3);
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(child.logFile, 'utf8')) as object).sort(), ['ONLY', 'PATH']);
    await child.stop();
    assert.equal(await child.ended, 'code 0');
    await child.stop();
  });

  it('that dies is reported in one line, with its own last words', async () => {
    const bad = options('bad', 'throw new Error("no key")', async () => false);
    await assert.rejects(startChild(bad), { name: 'StartupError', message: `bad did not start (code 1): Error: no key [${bad.logFile}]` });
  });

  it('whose program is missing is reported in one line', async () => {
    const missing = { ...options('missing', '', async () => false), args: [join(directory, 'absent.mjs')] };
    await assert.rejects(startChild(missing), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /^missing did not start \(code 1\): Error.*Cannot find module '.*absent\.mjs'.* \[.*missing\.log\]$/);
      return true;
    });
  });
});
