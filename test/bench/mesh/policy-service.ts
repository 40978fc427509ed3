import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createWorkloadIdentity, WORKLOAD_ISSUER } from '../../../examples/quick-start/workload-identity.ts';
import { createServerCertificate } from '../../support/certificates.ts';
import { startChild, untilServing } from '../machine/child.ts';
import { answersOk, freePort } from '../machine/ports.ts';
import { bundleFiles } from './bundle.ts';
import type { Issuer } from './identity.ts';

export interface PolicyServiceOptions {
  /** A new directory for keys, bundle and database. */
  readonly directory: string;
  /** Command line of `sidegate`, without its arguments. */
  readonly sidegate: readonly [string, ...string[]];
  readonly issuer: Issuer;
  readonly upstreamPort: number;
  readonly processor: number | undefined;
}

/** A running policy service, and what a sidecar must be told to use it. */
export interface PolicyService {
  readonly pid: number;
  readonly sidecarEnv: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startPolicyService({
  directory,
  sidegate,
  issuer,
  upstreamPort,
  processor,
}: PolicyServiceOptions): Promise<PolicyService> {
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  for (const [name, text] of bundleFiles(upstreamPort)) write(`bundle/${name}`, text);
  const tls = await createServerCertificate();
  const workload = await createWorkloadIdentity('bench', 'bench-agent', 'bench-agent-0');
  const [grpcPort, httpPort] = [await freePort(), await freePort()];
  const child = startChild({
    name: 'policy service',
    command: [...sidegate, 'extauthz', 'serve'],
    env: {
      SIDEGATE_GRPC_LISTEN: `127.0.0.1:${grpcPort}`,
      SIDEGATE_HTTP_LISTEN: `127.0.0.1:${httpPort}`,
      SIDEGATE_TLS_CERT_FILE: write('tls/server.crt', tls.certPem),
      SIDEGATE_TLS_KEY_FILE: write('tls/server.key', tls.keyPem),
      SIDEGATE_BUNDLE_DIR: join(directory, 'bundle'),
      SIDEGATE_DATABASE_FILE: join(directory, 'sidegate.db'),
      SIDEGATE_OIDC_ISSUER: issuer.issuer,
      SIDEGATE_OIDC_JWKS_URI: issuer.jwksUri,
      SIDEGATE_WORKLOAD_ISSUER: WORKLOAD_ISSUER,
      SIDEGATE_WORKLOAD_JWKS_FILE: write('workload/jwks.json', workload.jwks),
    },
    processor,
  });
  await untilServing('policy service', child, answersOk(httpPort, '/readyz'), 20);
  return {
    pid: child.pid,
    sidecarEnv: {
      SIDEGATE_POLICY_ADDRESS: `localhost:${grpcPort}`,
      SIDEGATE_POLICY_CA_FILE: write('tls/ca.crt', tls.caPem),
      SIDEGATE_WORKLOAD_TOKEN_FILE: write('workload/token', workload.token),
    },
    async stop() {
      await child.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
