import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AuditRecord } from '../../../extauthz/api/audit-record.ts';
import { openSqliteAuditStore } from '../../../extauthz/store/sqlite-audit-store.ts';
import { createServerCertificate } from '../../support/certificates.ts';
import { auditRecord } from '../support/audit-records.ts';
import { TEST_BUNDLE } from '../support/test-bundle.ts';

const SIDEGATE = join(import.meta.dirname, '../../../bin/sidegate.ts');

interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `sidegate extauthz ...` to its end. `onLine` sees each line of standard error and may send a signal. */
function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void,
) {
  return new Promise<Finished>((resolve) => {
    const child = spawn(process.execPath, [SIDEGATE, 'extauthz', ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
      for (const line of chunk.toString().split('\n')) if (line !== '') onLine?.(line, (signal) => child.kill(signal));
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('sidegate extauthz', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-cli-'));
  const at = (...names: string[]) => join(directory, ...names);
  const write = (path: string, content: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
    return at(path);
  };
  let serveEnv: Readonly<Record<string, string>> = {};

  before(async () => {
    for (const [path, content] of Object.entries(TEST_BUNDLE)) write(`bundle/${path}`, content);
    const { certPem, keyPem } = await createServerCertificate();
    serveEnv = {
      SIDEGATE_GRPC_LISTEN: '127.0.0.1:0',
      SIDEGATE_HTTP_LISTEN: '127.0.0.1:0',
      SIDEGATE_TLS_CERT_FILE: write('cert.pem', certPem),
      SIDEGATE_TLS_KEY_FILE: write('key.pem', keyPem),
      SIDEGATE_BUNDLE_DIR: at('bundle'),
      SIDEGATE_DATABASE_FILE: at('serve.db'),
      SIDEGATE_OIDC_ISSUER: 'http://127.0.0.1:9',
      SIDEGATE_WORKLOAD_ISSUER: 'kubernetes',
      SIDEGATE_WORKLOAD_JWKS_FILE: write('jwks.json', '{"keys":[]}'),
    };
  });
  after(() => rmSync(directory, { recursive: true }));

  describe('usage', () => {
    it('is printed on demand', async () => {
      for (const [args, text] of [
        [['--help'], /^Usage: sidegate extauthz \[COMMAND\]/],
        [['serve', '--help'], /^Usage: sidegate extauthz serve/],
        [['check', '-h'], /^Usage: sidegate extauthz check DIR/],
        [['audit', '--help'], /^Usage: sidegate extauthz audit/],
      ] as const) {
        const { code, out, err } = await run(args);
        assert.deepEqual([code, err], [0, '']);
        assert.match(out, text);
      }
    });

    it('is one line and exit code 2 when the command line is wrong', async () => {
      const cases = [
        [['frobnicate'], 'unknown command "frobnicate"; try sidegate extauthz --help'],
        [['constructor'], 'unknown command "constructor"; try sidegate extauthz --help'],
        [['serve', '--port', '1'], 'serve: unexpected argument "--port"'],
        [['--port'], 'serve: unexpected argument "--port"'],
        [['check'], 'check: which directory?'],
        [['check', 'a', 'b'], 'check: one directory at a time, not "b" as well'],
        [['audit', '--limit', 'many'], '--limit: "many" is not a whole number above 0'],
        [['audit', '--since', 'lately'], '--since: "lately" is neither a time nor a duration like 10m'],
      ] as const;
      const all = await Promise.all(cases.map(([args]) => run(args)));
      for (const [index, [, line]] of cases.entries())
        assert.deepEqual(all[index], { code: 2, out: '', err: `sidegate extauthz: ${line}\n` });
      const { code, err } = await run(['audit', '--frobnicate']);
      assert.equal(code, 2);
      assert.match(err, /^sidegate extauthz: Unknown option '--frobnicate'[^\n]*\n$/);
    });
  });

  describe('check', () => {
    it('takes a good bundle', async () => {
      const { code, out, err } = await run(['check', at('bundle')]);
      assert.deepEqual([code, err], [0, '']);
      assert.match(out, /^ok: revision [0-9a-f]{16}, 2 servers\n$/);
    });

    it('prints the schema', async () => {
      const { code, out } = await run(['check', '--print-schema', at('bundle')]);
      assert.equal(code, 0);
      assert.match(out, /action "tickets\/close_ticket" in \[?Action::"CallTool"|action "tickets\/close_ticket" in \[?"CallTool"/);
    });

    it('says what is wrong, where', async () => {
      for (const [path, content] of Object.entries(TEST_BUNDLE)) write(`bad/${path}`, content);
      write(
        'bad/policies/support.cedar',
        'permit (principal, action, resource);\n\npermit (principal == Nobody::"x", action, resource);\n',
      );
      const { code, out, err } = await run(['check', at('bad')]);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, new RegExp(`^${at('bad/policies/support.cedar')}:3: .+\n`));
      const missing = await run(['check', at('nowhere')]);
      assert.deepEqual([missing.code, missing.err], [1, `${at('nowhere')}: no such file or directory\n`]);
    });
  });

  describe('audit', () => {
    const records: AuditRecord[] = [
      auditRecord({ time: '2026-01-01T00:00:00.000Z' }),
      auditRecord({
        time: '2026-01-01T00:00:01.000Z',
        effect: 'deny',
        code: 'forbidden',
        outcome: 'denied',
        target: 'x\u001b[31mred\nline',
      }),
      auditRecord({ time: new Date().toISOString(), user: null, agent: null, target: 'y'.repeat(100) }),
    ];
    before(async () => {
      const store = openSqliteAuditStore(at('audit.db'));
      await store.append(records);
      await store.close();
    });
    const audit = (...args: string[]) => run(['audit', '--database', at('audit.db'), ...args]);

    it('prints a table that cannot steer a terminal', async () => {
      const { code, out, err } = await audit();
      assert.deepEqual([code, err], [0, '']);
      const [title, first, second, third, ...rest] = out.split('\n');
      assert.deepEqual(title?.split(/\s{2,}/), [
        'TIME',
        'USER',
        'AGENT',
        'SERVER',
        'METHOD',
        'TARGET',
        'EFFECT',
        'OUTCOME',
        'MS',
        'POLICIES',
      ]);
      assert.deepEqual(first?.split(/\s{2,}/), [
        '2026-01-01T00:00:00.000Z',
        'alice',
        'agents/helpdesk',
        'tickets',
        'tools/call',
        'list_tickets',
        'allow',
        'ok',
        '12.3',
        'support-tickets',
      ]);
      assert.match(second ?? '', /x\?\[31mred\?line +deny \(forbidden\) +denied/);
      assert.match(third ?? '', / - +- +tickets +tools\/call +y{47}… /);
      assert.deepEqual(rest, ['']);
    });

    it('prints whole records as JSON lines', async () => {
      const { out } = await audit('--json');
      assert.deepEqual(
        out
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as AuditRecord),
        records,
      );
    });

    it('filters', async () => {
      const count = async (...args: string[]) => (await audit('--json', ...args)).out.split('\n').length - 1;
      assert.equal(await count('--denied'), 1);
      assert.equal(await count('--user', 'alice'), 2);
      assert.equal(await count('--tool', 'list_tickets'), 1);
      assert.equal(await count('--server', 'nowhere'), 0);
      assert.equal(await count('--since', '10m'), 1);
      assert.equal(await count('--since', '2026-01-01T00:00:01Z'), 2);
      assert.equal(await count('--limit', '1'), 1);
    });

    it('says in one line that there is nothing to read', async () => {
      const { code, err } = await run(['audit', '--database', at('none.db')]);
      assert.equal(code, 1);
      assert.match(err, /^sidegate extauthz: there is no audit database at [^\n]*none\.db; name another one with --database\n$/);
    });

    it('says so when no record matches, and nothing as JSON', async () => {
      const store = openSqliteAuditStore(at('empty.db'));
      await store.close();
      const shown = await run(['audit', '--database', at('empty.db')]);
      assert.deepEqual([shown.code, shown.out, shown.err], [0, 'no records\n', '']);
      const json = await run(['audit', '--database', at('empty.db'), '--json']);
      assert.deepEqual([json.code, json.out, json.err], [0, '', '']);
    });
  });

  describe('serve', () => {
    const firstError = ({ err }: Finished) =>
      (JSON.parse(err.split('\n').find((line) => line.includes('"fatal"')) ?? '{}') as { msg?: string }).msg;

    it('runs until SIGTERM and then ends well', async () => {
      const finished = await run(['serve'], serveEnv, (line, kill) => line.includes('policy service started') && kill('SIGTERM'));
      assert.equal(finished.code, 0, finished.err);
      assert.equal(finished.out, '');
      for (const line of finished.err.trimEnd().split('\n'))
        assert.equal((JSON.parse(line) as { component: string }).component, 'extauthz');
    });

    it('is what runs without a command', async () => {
      const finished = await run([], {});
      assert.equal(finished.code, 1);
      assert.match(firstError(finished) ?? '', /^SIDEGATE_TLS_CERT_FILE is required; /);
    });

    it('says in one message why it cannot start', async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as { port: number };
      const cases: readonly [Readonly<Record<string, string>>, RegExp][] = [
        [
          { SIDEGATE_GRPC_LISTEN: `127.0.0.1:${port}` },
          new RegExp(`^SIDEGATE_GRPC_LISTEN: cannot listen on 127\\.0\\.0\\.1:${port}: the port is taken$`),
        ],
        [
          { SIDEGATE_HTTP_LISTEN: `127.0.0.1:${port}` },
          new RegExp(`^SIDEGATE_HTTP_LISTEN: cannot listen on 127\\.0\\.0\\.1:${port}: the port is taken$`),
        ],
        [{ SIDEGATE_TLS_CERT_FILE: at('none.pem') }, /^SIDEGATE_TLS_CERT_FILE: cannot read .*none\.pem: no such file$/],
        [
          { SIDEGATE_TLS_KEY_FILE: at('jwks.json') },
          /^SIDEGATE_TLS_CERT_FILE and SIDEGATE_TLS_KEY_FILE do not hold a usable certificate and key: /,
        ],
        [{ SIDEGATE_WORKLOAD_JWKS_FILE: at('cert.pem') }, /^SIDEGATE_WORKLOAD_JWKS_FILE: .*cert\.pem is not a JWK Set$/],
        [{ SIDEGATE_DATABASE_FILE: at('no/such/dir/x.db') }, /^cannot open the audit database /],
        [{ SIDEGATE_BUNDLE_DIR: at('no-bundle') }, /^the policy bundle cannot be loaded\n\.: no such file or directory$/],
        [
          { SIDEGATE_LOG_LEVEL: 'loud', SIDEGATE_DRAIN_MS: 'soon' },
          /^SIDEGATE_DRAIN_MS: not a whole number; SIDEGATE_LOG_LEVEL: must be one of/,
        ],
      ];
      const all = await Promise.all(
        cases.map(([env]) => run(['serve'], { ...serveEnv, SIDEGATE_DATABASE_FILE: at(`${Math.random()}.db`), ...env })),
      );
      taken.close();
      for (const [index, finished] of all.entries()) {
        assert.equal(finished.code, 1, finished.err);
        assert.match(firstError(finished) ?? finished.err, cases[index]?.[1] ?? assert.fail());
        assert.doesNotMatch(finished.err, /"stack"/);
      }
    });
  });
});
