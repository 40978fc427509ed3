import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { METRICS } from '../extauthz/api/attributes.ts';
import { earlySetting } from '../runtime/env.ts';
import { readNamedFile, rotatingFile } from '../runtime/files.ts';
import { runUntilSignal } from '../runtime/lifecycle.ts';
import { listen } from '../runtime/listen.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { Metrics } from '../runtime/metrics.ts';
import { formatAddress } from '../runtime/setting-types.ts';
import { SpanExport } from '../runtime/span-export.ts';
import { VERSION } from '../runtime/version.ts';
import { createAdminServer } from './admin.ts';
import { AuditSpool } from './audit/spool.ts';
import { PolicyClient } from './authz/client.ts';
import { Decider } from './authz/decide.ts';
import { DecisionCache } from './authz/decision-cache.ts';
import { Lease } from './authz/lease.ts';
import { PolicyWatch } from './authz/policy-watch.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import { readSidecarConfig, type SidecarConfig, sidecarSettings } from './config.ts';
import { FrontDoor } from './doors/front-door.ts';
import { HttpSseDoor } from './doors/http-sse-door.ts';
import { Views } from './endpoints.ts';
import { ListCursors } from './federation/list-cursor.ts';
import { FederatedSessions } from './federation/sessions.ts';
import { startLegs } from './legs.ts';
import { ListChanges } from './list-changes.ts';
import { OpenMessages } from './open-messages.ts';
import { Recorder } from './recorder.ts';
import { createRequestPath } from './request-path.ts';
import { Routes } from './routes.ts';
import { AgentServer } from './server.ts';
import { sessionKey } from './session-key.ts';
import { runStdioCommand } from './stdio-command.ts';
import { MessageTelemetry } from './telemetry/telemetry.ts';
import { Pools } from './upstream/pools.ts';

const USAGE = `sidegate sidecar: the policy gate of one pod

Its settings are environment variables: see docs/configuration.md.

  sidegate sidecar                  run it
  sidegate sidecar stdio <server>   reach one of its servers from a client that only speaks stdio
`;

/** Stopping takes a little longer than open calls get, so that their audit records leave too, and stdio servers end by themselves. */
const STOP_EXTRA_MS = 7_000;
const LAST_RECORDS_MS = 1_000;

export async function main(args: string[]): Promise<void> {
  if (args[0] === 'stdio') return runStdioCommand(args.slice(1));
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(USAGE);
  if (args.length > 0) {
    process.stderr.write(`sidegate sidecar: unexpected argument "${args[0]}"\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const logger = createLogger('sidecar', earlySetting(sidecarSettings.logLevel, process.env, 'info'));
  await runUntilSignal(logger, earlySetting(sidecarSettings.drainMs, process.env, 0) + STOP_EXTRA_MS, async (onStop) => {
    await start(readSidecarConfig(process.env), logger, onStop);
  });
}

/** Starts every part; each registers how it stops, and they stop in reverse. */
async function start(config: SidecarConfig, logger: Logger, onStop: (stop: () => Promise<void> | void) => void): Promise<void> {
  const named = { service: 'sidegate-sidecar', version: VERSION, scope: 'sidegate.sidecar' };
  const metrics = new Metrics(named);
  const spans =
    config.otlpEndpoint === undefined
      ? undefined
      : new SpanExport({ ...named, endpoint: config.otlpEndpoint, headers: config.otlpHeaders ?? {}, logger });
  onStop(() => spans?.shutdown());

  const lease = new Lease();
  const cache = new DecisionCache(lease);
  const routes = new Routes();
  const views = new Views();
  const listChanges = new ListChanges();
  const watch = new PolicyWatch({ lease, cache, routes, views, onChange: () => listChanges.announce(), clock: SYSTEM_CLOCK, logger });
  onStop(() => watch.close());
  const client = new PolicyClient({
    address: config.policyAddress,
    caPem: config.policyCaPem ?? readNamedFile(config.policyCaFile ?? '', 'SIDEGATE_POLICY_CA_FILE'),
    serverName: config.policyServerName,
    workloadToken: rotatingFile(config.workloadTokenFile, 'SIDEGATE_WORKLOAD_TOKEN_FILE', SYSTEM_CLOCK.monotonicMs),
    onWatchEvent: (event) => watch.take(event),
    logger,
    random: Math.random,
  });
  onStop(() => client.close());

  const spool = new AuditSpool({
    report: (records) => client.report(records),
    dir: config.stateDir,
    backlogLimit: config.auditBacklog,
    logger,
  });
  onStop(() => spool.stop(2_000));
  metrics.gauge(METRICS.auditBacklog, 'Audit records waiting to be acknowledged.', () => spool.backlog);
  const telemetry = new MessageTelemetry(spans, metrics);
  const recorder = new Recorder(telemetry, spool);
  const openMessages = new OpenMessages();
  onStop(async () => {
    // By now every connection is closed. A message that this ended is recorded a moment later.
    await openMessages.settled(LAST_RECORDS_MS);
    recorder.drain();
  });

  const pools = new Pools(config.upstreamTimeoutMs);
  onStop(() => pools.close());
  const decider = new Decider(client, cache, config.decisionTimeoutMs, SYSTEM_CLOCK);
  const legs = startLegs({ config, routes, decider, pools, env: process.env, clock: SYSTEM_CLOCK, logger, onStop });
  const { pipeline, batches, innerCalls } = createRequestPath({
    config,
    routes,
    decider,
    pools,
    legs,
    sessionKey: sessionKey(config.stateDir),
    listChanges,
    spool,
    telemetry,
    recorder,
    clock: SYSTEM_CLOCK,
    logger,
    onStop,
  });
  const federated = new FederatedSessions({
    maxSessions: config.federationMaxSessions,
    idleMs: config.federationIdleMs,
    monotonicMs: SYSTEM_CLOCK.monotonicMs,
  });
  onStop(() => federated.close());
  const frontDoor = new FrontDoor({
    config,
    routes,
    views,
    decider,
    innerCalls,
    sessions: federated,
    cursors: new ListCursors(randomBytes(32)),
    announceOn: (stream) => listChanges.opened(stream),
    timeoutMs: config.federationTimeoutMs,
    batches,
    spool,
    telemetry,
    recorder,
    clock: SYSTEM_CLOCK,
    logger,
  });
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    openMessages.track(frontDoor.serves(request) ? frontDoor.handle(request, response) : pipeline.handle(request, response));
  innerCalls.serve(handle);
  const httpSseDoor = new HttpSseDoor({
    routes,
    innerCalls,
    maxBodyBytes: config.maxBodyBytes,
    telemetry,
    recorder,
    clock: SYSTEM_CLOCK,
    logger,
  });

  let isListening = false;
  let stopping = false;
  const notReady = (): string | undefined => {
    if (!isListening) return 'starting';
    if (stopping) return 'stopping';
    if (client.problem !== undefined) return client.problem;
    if (!lease.isLive(SYSTEM_CLOCK.monotonicMs())) return 'the policy service has not renewed the lease';
    return spool.isFull ? 'too many audit records are waiting for the policy service' : undefined;
  };
  const admin = createAdminServer({
    notReady,
    metricsText() {
      recorder.drain();
      return metrics.text();
    },
  });
  const adminAddress = await listen(admin, config.adminListen, 'SIDEGATE_ADMIN_LISTEN');
  onStop(() => {
    admin.close();
    admin.closeAllConnections();
  });

  const agents = new AgentServer({
    handle: (request, response) => {
      const server = httpSseDoor.serverOf(request);
      return server === undefined ? handle(request, response) : httpSseDoor.handle(server, request, response);
    },
    receiveTimeoutMs: config.receiveTimeoutMs,
  });
  const address = await listen(agents.server, config.listen, 'SIDEGATE_LISTEN');
  isListening = true;
  onStop(() => {
    stopping = true;
    return agents.drain(config.drainMs);
  });
  logger.info(
    { listen: formatAddress(address), admin: formatAddress(adminAddress), policy: formatAddress(config.policyAddress) },
    'sidecar started',
  );
}
