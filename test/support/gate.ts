import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { JWTPayload } from 'jose';
import { answers, type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts } from '../../examples/quick-start/ports.ts';
import type { AuditRecord } from '../../extauthz/api/audit-record.ts';
import { createCertificateAuthority, issueServerCertificate } from '../../runtime/tls.ts';
import { startTestIssuer, type TestIssuer, userClaims, workloadClaims } from '../extauthz/support/test-issuer.ts';

export interface GateOptions {
  /** Registered servers: name to MCP endpoint. */
  readonly servers: Readonly<Record<string, string>>;
  /** Cedar text of the one policy file. */
  readonly policies: string;
  /** More files of the bundle, by path; a `servers/` file replaces the generated one. */
  readonly files?: Readonly<Record<string, string>>;
  /** Credentials: path below the secrets directory to text. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly sidecarEnv?: Readonly<Record<string, string>>;
  readonly extauthzEnv?: Readonly<Record<string, string>>;
}

/** A sidecar and its policy service as real processes, with an issuer that the test holds the keys of. */
export interface Gate {
  readonly issuer: TestIssuer;
  readonly port: number;
  readonly bundleDir: string;
  readonly sidecar: RunningChild;
  /** The running policy service; replaced by `startPolicyService`. */
  policyService(): RunningChild;
  /** Starts the policy service again, on the same ports and data. */
  startPolicyService(): Promise<void>;
  url(server: string): string;
  adminUrl(path: string): string;
  /** A user token; claims given as undefined are left out. */
  token(user: string, changes?: JWTPayload): Promise<string>;
  writeBundleFile(path: string, text: string): void;
  /** Audit records stored so far, oldest first. */
  audit(): AuditRecord[];
  stop(): Promise<void>;
}

const SIDEGATE = join(import.meta.dirname, '../../bin/sidegate.ts');

export async function startGate(options: GateOptions): Promise<Gate> {
  const dir = mkdtempSync(join(tmpdir(), 'sidegate-gate-'));
  const at = (...names: string[]) => join(dir, ...names);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
    return at(path);
  };

  const issuer = await startTestIssuer();
  const ports = await choosePorts('auto');
  const authority = await createCertificateAuthority('test', Date.now(), 1);
  const certificate = await issueServerCertificate(
    authority,
    { commonName: 'localhost', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] },
    Date.now(),
    1,
  );
  write('workload-token', await issuer.sign(workloadClaims(issuer)));
  for (const [name, url] of Object.entries(options.servers)) {
    write(`bundle/servers/${name}.yaml`, `name: ${name}\nurl: ${url}\ntransport: streamable-http\ncredential: {strategy: none}\n`);
  }
  write('bundle/policies/policies.cedar', options.policies);
  for (const [path, text] of Object.entries(options.files ?? {})) write(`bundle/${path}`, text);
  mkdirSync(at('secrets'));
  for (const [path, text] of Object.entries(options.secrets ?? {})) write(`secrets/${path}`, text);

  const startPolicyService = () =>
    startChild({
      name: 'policy service',
      args: [SIDEGATE, 'extauthz', 'serve'],
      env: {
        SIDEGATE_GRPC_LISTEN: `127.0.0.1:${ports.policyGrpc}`,
        SIDEGATE_HTTP_LISTEN: `127.0.0.1:${ports.policyHttp}`,
        SIDEGATE_TLS_CERT_FILE: write('server.crt', certificate.certificatePem),
        SIDEGATE_TLS_KEY_FILE: write('server.key', certificate.privateKeyPem),
        SIDEGATE_BUNDLE_DIR: at('bundle'),
        SIDEGATE_SECRETS_DIR: at('secrets'),
        SIDEGATE_DATABASE_FILE: at('audit.db'),
        SIDEGATE_OIDC_ISSUER: issuer.url,
        SIDEGATE_WORKLOAD_ISSUER: issuer.url,
        SIDEGATE_WORKLOAD_JWKS_URI: issuer.jwksUri,
        ...options.extauthzEnv,
      },
      logFile: at('extauthz.log'),
      ready: answers(`http://127.0.0.1:${ports.policyHttp}/readyz`, 200),
    });
  let policyService = await startPolicyService();
  const sidecar = await startChild({
    name: 'sidecar',
    args: [SIDEGATE, 'sidecar'],
    env: {
      SIDEGATE_LISTEN: `127.0.0.1:${ports.agent}`,
      SIDEGATE_ADMIN_LISTEN: `127.0.0.1:${ports.sidecarAdmin}`,
      SIDEGATE_POLICY_ADDRESS: `localhost:${ports.policyGrpc}`,
      SIDEGATE_POLICY_CA_PEM: authority.certificatePem,
      SIDEGATE_WORKLOAD_TOKEN_FILE: at('workload-token'),
      SIDEGATE_STATE_DIR: at('spool'),
      // A busy machine must not make decisions late.
      SIDEGATE_DECISION_TIMEOUT_MS: '10000',
      ...options.sidecarEnv,
    },
    logFile: at('sidecar.log'),
    ready: answers(`http://127.0.0.1:${ports.sidecarAdmin}/readyz`, 200),
  }).catch(async (error: unknown) => {
    // What runs already would keep the test process up.
    await policyService.stop();
    await issuer.close();
    throw error;
  });

  return {
    issuer,
    port: ports.agent,
    bundleDir: at('bundle'),
    sidecar,
    policyService: () => policyService,
    async startPolicyService() {
      policyService = await startPolicyService();
    },
    url: (server) => `http://localhost:${ports.agent}/${server}/mcp`,
    adminUrl: (path) => `http://127.0.0.1:${ports.sidecarAdmin}${path}`,
    token: (user, changes = {}) => issuer.sign(userClaims(issuer, { sub: user, groups: [], ...changes })),
    writeBundleFile: (path, text) => void write(`bundle/${path}`, text),
    audit() {
      const database = new DatabaseSync(at('audit.db'), { readOnly: true });
      try {
        return database
          .prepare('SELECT record FROM audit ORDER BY id')
          .all()
          .map((row) => JSON.parse(String(row['record'])) as AuditRecord);
      } finally {
        database.close();
      }
    },
    async stop() {
      await sidecar.stop();
      await policyService.stop();
      await issuer.close();
      if (process.env['SIDEGATE_TEST_KEEP'] === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}
