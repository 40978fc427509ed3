import { createSecureContext } from 'node:tls';
import { Server, ServerCredentials, setLogger, status } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { StartupError } from '../runtime/lifecycle.ts';
import { type Address, formatAddress } from '../runtime/setting-types.ts';
import { authorizationService, envoyProtos } from './api/envoy-protos.ts';
import { policyProtos, policyService } from './api/protos.ts';
import { type DecideOptions, decideDoor } from './doors/decide-stream.ts';
import { type EnvoyCheckOptions, envoyCheckDoor } from './doors/envoy-check.ts';
import { type ReportOptions, reportDoor } from './doors/report.ts';
import { OpenStreams } from './doors/stream-end.ts';
import { type WatchOptions, watchDoor } from './doors/watch.ts';

export interface GrpcServerOptions {
  readonly certPem: string;
  readonly keyPem: string;
  readonly maxMessageBytes: number;
  readonly reflection: boolean;
  /** What the doors need, less what the server gives them. */
  readonly doors: Omit<DecideOptions & WatchOptions & ReportOptions & EnvoyCheckOptions, 'streams'>;
}

/** The policy service's gRPC side: all doors on one TLS port. */
export interface GrpcServer {
  /**
   * Starts listening, and says so to health checks.
   * @throws {StartupError} when the address cannot be used.
   */
  listen(address: Address): Promise<Address>;
  /** Long-lived streams that are open now. */
  openStreams(): number;
  /** Says that it is going, ends the streams once their open questions are answered, and cuts off what is left after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}

const SERVICES = ['', 'sidegate.v1.PolicyService', 'envoy.service.auth.v3.Authorization'];
/** Finds sidecars that went away without closing, so that their streams do not pile up. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** @throws {StartupError} when certificate and key cannot be used. */
export function createGrpcServer({ certPem, keyPem, maxMessageBytes, reflection, doors }: GrpcServerOptions): GrpcServer {
  const { logger } = doors;
  // grpc-js writes plain lines to standard error by itself.
  const log = (...words: unknown[]) => logger.debug({ grpc: words.join(' ') }, 'grpc');
  setLogger({ error: log, info: log, debug: log });
  const streams = new OpenStreams();
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  const credentials = tlsCredentials(certPem, keyPem);
  const options = { ...doors, streams };
  server.addService(policyService, { Decide: decideDoor(options), Watch: watchDoor(options), Report: reportDoor(options) });
  server.addService(authorizationService, { Check: envoyCheckDoor(options) });

  const health = new HealthImplementation();
  const setHealth = (state: 'SERVING' | 'NOT_SERVING') => {
    for (const name of SERVICES) health.setStatus(name, state);
  };
  setHealth('NOT_SERVING');
  health.addToServer(server);
  if (reflection) new ReflectionService({ ...policyProtos, ...envoyProtos }).addToServer(server);

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.bindAsync(formatAddress({ host, port }), credentials, (error, bound) => {
          if (error !== null)
            return reject(
              new StartupError(`SIDEGATE_GRPC_LISTEN: cannot listen on ${formatAddress({ host, port })}: ${bindProblem(error)}`),
            );
          setHealth('SERVING');
          resolve({ host, port: bound });
        });
      }),
    openStreams: () => streams.size,
    async drain(timeoutMs) {
      setHealth('NOT_SERVING');
      const gone = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      streams.endAll({ code: status.UNAVAILABLE, details: 'the policy service is stopping' });
      const cutOff = setTimeout(() => server.forceShutdown(), timeoutMs);
      await gone;
      clearTimeout(cutOff);
    },
  };
}

function tlsCredentials(certPem: string, keyPem: string): ServerCredentials {
  try {
    // gRPC would notice a bad pair only at the first connection.
    createSecureContext({ cert: certPem, key: keyPem });
    return ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(certPem), private_key: Buffer.from(keyPem) }]);
  } catch (error) {
    throw new StartupError(
      `SIDEGATE_TLS_CERT_FILE and SIDEGATE_TLS_KEY_FILE do not hold a usable certificate and key: ${(error as Error).message}`,
    );
  }
}

function bindProblem({ message }: Error): string {
  return message.includes('EADDRINUSE') ? 'the port is taken' : message;
}
