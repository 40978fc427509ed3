import { resolve } from 'node:path';
import { readNamedFile } from '../runtime/files.ts';
import type { Stop } from '../runtime/lifecycle.ts';
import { listen } from '../runtime/listen.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Address, formatAddress } from '../runtime/setting-types.ts';
import { startTelemetry } from '../runtime/telemetry.ts';
import { uuidV7 } from '../runtime/uuid-v7.ts';
import { VERSION } from '../runtime/version.ts';
import { createAdminServer } from './admin.ts';
import { createBroker } from './broker/broker.ts';
import { formatProblem, openBundleSource } from './bundle-source.ts';
import type { ExtauthzConfig } from './config.ts';
import { createDecisionService } from './decision-service.ts';
import { createMetrics } from './metrics.ts';
import { type Bundle, createPolicyEngine } from './policy/engine.ts';
import { createGrpcServer } from './server.ts';
import { createAuditBacklog } from './store/audit-backlog.ts';
import { createAuditWriter } from './store/audit-writer.ts';
import { openThreadedAuditStore } from './store/threaded-audit-store.ts';
import { createVerifiers } from './verifiers.ts';

/** Time that audit records wait for company before they are committed together. */
const GATHER_MS = 10;
const MAX_BACKLOG_RECORDS = 100_000;
const BACKLOG_RETRY_MS = 1_000;

/**
 * Starts the policy service. Each part registers how it stops; they stop in reverse.
 * @returns the addresses actually bound.
 * @throws {StartupError} when something the operator can mend stands in the way.
 */
export async function startPolicyService(
  config: ExtauthzConfig,
  logger: Logger,
  onStop: (stop: Stop) => void,
): Promise<{ readonly grpc: Address; readonly http: Address }> {
  const telemetry = startTelemetry({ service: 'sidegate-extauthz', version: VERSION, otlpEndpoint: config.otlpEndpoint });
  onStop(() => telemetry.shutdown());
  let revision: string | undefined;
  const metrics = createMetrics(() => revision);
  const now = Date.now;
  const newId = (): string => uuidV7();

  const store = await openThreadedAuditStore(config.databaseFile);
  onStop(() => store.close());
  const writer = createAuditWriter({ store, gatherMs: GATHER_MS, onStored: metrics.auditStored });
  onStop(() => writer.close());
  const backlog = createAuditBacklog({ writer, maxRecords: MAX_BACKLOG_RECORDS, retryMs: BACKLOG_RETRY_MS, logger });
  onStop(() => backlog.close());

  const bundles = openBundleSource({
    directory: resolve(config.bundleDir),
    engine: createPolicyEngine((fault) => logger.error({ err: fault }, 'a fault during evaluation; denied')),
    logger,
    onRefused: metrics.bundleRefused,
  });
  onStop(() => bundles.close());
  const takeNotice = (bundle: Bundle) => {
    revision = bundle.revision;
    const unserved =
      config.secretsDir === undefined ? [...bundle.servers.values()].filter(({ credential }) => credential.strategy === 'file') : [];
    if (unserved.length > 0) {
      logger.warn(
        { servers: unserved.map(({ name }) => name) },
        'SIDEGATE_SECRETS_DIR is not set, so nobody has a credential for these servers',
      );
    }
  };
  takeNotice(bundles.current());
  bundles.onChange(takeNotice);

  const { users, workloads } = createVerifiers(config, now, logger);
  const broker = createBroker({ secretsDir: config.secretsDir });
  const decisions = createDecisionService({ bundle: bundles.current, users, broker, now, newId, logger });
  const { leaseMs, heartbeatMs, checkAuth: callerAuth } = config;
  const grpc = createGrpcServer({
    certPem: readNamedFile(config.tlsCertFile, 'SIDEGATE_TLS_CERT_FILE'),
    keyPem: readNamedFile(config.tlsKeyFile, 'SIDEGATE_TLS_KEY_FILE'),
    maxMessageBytes: config.maxMessageBytes,
    reflection: config.reflection === 'true',
    doors: { workloads, callerAuth, bundles, decisions, writer, backlog, metrics, leaseMs, heartbeatMs, now, newId, logger },
  });

  let state: 'starting' | 'serving' | 'stopping' = 'starting';
  const admin = createAdminServer({
    obstacles: () => [
      ...(state === 'serving' ? [] : [`the policy service is ${state}`]),
      ...(backlog.full ? ['audit records cannot be stored'] : []),
    ],
    status: () => ({ revision, refusedBundle: bundles.problems().map(formatProblem), streams: grpc.openStreams() }),
    metricsText: telemetry.metricsText,
  });
  const httpAddress = await listen(admin, config.httpListen, 'SIDEGATE_HTTP_LISTEN');
  onStop(() => {
    admin.close();
    admin.closeAllConnections();
  });

  const grpcAddress = await grpc.listen(config.grpcListen);
  onStop(() => {
    state = 'stopping';
    return grpc.drain(config.drainMs);
  });
  state = 'serving';
  logger.info({ grpc: formatAddress(grpcAddress), http: formatAddress(httpAddress), revision }, 'policy service started');
  return { grpc: grpcAddress, http: httpAddress };
}
