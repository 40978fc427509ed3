import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readExtauthzConfig } from '../../../extauthz/config.ts';
import { startPolicyService } from '../../../extauthz/serve.ts';
import type { Stop } from '../../../runtime/lifecycle.ts';
import { createServerCertificate } from '../../support/certificates.ts';
import { type BundleText, TEST_BUNDLE } from './test-bundle.ts';
import { startTestIssuer, type TestIssuer } from './test-issuer.ts';
import { recordingLogger } from './test-logger.ts';

/** The whole policy service, on free loopback ports, with real issuers and a bundle in a directory of its own. */
export interface RunningService {
  readonly grpcPort: number;
  readonly httpUrl: string;
  readonly caPem: string;
  readonly users: TestIssuer;
  readonly workloads: TestIssuer;
  readonly directory: string;
  readonly databaseFile: string;
  readonly log: ReturnType<typeof recordingLogger>;
  /** Replaces files of the bundle, each atomically; undefined removes one. */
  writeBundle(files: Readonly<Record<string, string | undefined>>): void;
  writeSecret(path: string, secret: string): void;
  stop(): Promise<void>;
}

export async function startService(env: Readonly<Record<string, string>> = {}, bundle: BundleText = TEST_BUNDLE): Promise<RunningService> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-extauthz-'));
  const put = (path: string, content: string) => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  };
  const { certPem, keyPem, caPem } = await createServerCertificate();
  put('tls/cert.pem', certPem);
  put('tls/key.pem', keyPem);
  mkdirSync(join(directory, 'secrets', 'tickets'), { recursive: true });
  const writeBundle: RunningService['writeBundle'] = (files) => {
    for (const [path, content] of Object.entries(files)) {
      if (content === undefined) rmSync(join(directory, 'bundle', path));
      else put(`bundle/${path}`, content);
    }
  };
  writeBundle(bundle);
  const users = await startTestIssuer();
  const workloads = await startTestIssuer('RS256');
  put('workload-jwks.json', JSON.stringify(workloads.jwks()));

  const log = recordingLogger();
  const stops: Stop[] = [];
  const databaseFile = join(directory, 'audit.db');
  const config = readExtauthzConfig({
    SIDEGATE_GRPC_LISTEN: '127.0.0.1:0',
    SIDEGATE_HTTP_LISTEN: '127.0.0.1:0',
    SIDEGATE_TLS_CERT_FILE: join(directory, 'tls/cert.pem'),
    SIDEGATE_TLS_KEY_FILE: join(directory, 'tls/key.pem'),
    SIDEGATE_BUNDLE_DIR: join(directory, 'bundle'),
    SIDEGATE_SECRETS_DIR: join(directory, 'secrets'),
    SIDEGATE_DATABASE_FILE: databaseFile,
    SIDEGATE_OIDC_ISSUER: users.url,
    SIDEGATE_WORKLOAD_ISSUER: workloads.url,
    SIDEGATE_WORKLOAD_JWKS_FILE: join(directory, 'workload-jwks.json'),
    SIDEGATE_HEARTBEAT_MS: '100',
    SIDEGATE_LEASE_MS: '500',
    SIDEGATE_DRAIN_MS: '2000',
    ...env,
  });
  const stopParts = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const cleanUp = async () => {
    await stopParts();
    await users.close();
    await workloads.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const { grpc, http } = await startPolicyService(config, log.logger, (stop) => stops.push(stop));
    return {
      grpcPort: grpc.port,
      httpUrl: `http://127.0.0.1:${http.port}`,
      caPem,
      users,
      workloads,
      directory,
      databaseFile,
      log,
      writeBundle,
      writeSecret: (path, secret) => put(`secrets/${path}`, secret),
      stop: cleanUp,
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
