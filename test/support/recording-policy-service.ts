import { Server, ServerCredentials, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js';
import type {
  AuditAck,
  AuditBatch,
  DecisionRequest,
  DecisionResponse,
  RouteMessage,
  WatchEvent,
  WatchRequest,
} from '../../extauthz/api/protos.ts';
import { policyService } from '../../extauthz/api/protos.ts';
import { createServerCertificate } from './certificates.ts';

/** A policy service that allows everything, and keeps all that a sidecar tells it. */
export interface RecordingPolicyService {
  readonly port: number;
  readonly caPem: string;
  /** Everything received so far, fields of the calls included. */
  received(): string;
  /** What its decisions oblige the sidecar to. */
  oblige(obligations: Pick<DecisionResponse, 'setHeaders' | 'removeHeaders' | 'credential'>): void;
  close(): void;
}

export async function startRecordingPolicyService(routes: readonly RouteMessage[]): Promise<RecordingPolicyService> {
  const { certPem, keyPem, caPem } = await createServerCertificate();
  const received: string[] = [];
  const keep = (message: object) => {
    for (const value of Object.values(message)) {
      const parts: unknown[] = Array.isArray(value) ? value : [value];
      received.push(...parts.map((part) => (part instanceof Uint8Array ? Buffer.from(part).toString('latin1') : JSON.stringify(part))));
    }
  };
  let obligations: Parameters<RecordingPolicyService['oblige']>[0] = { setHeaders: [], removeHeaders: [], credential: '' };
  const server = new Server();
  server.addService(policyService, {
    Watch(call: ServerWritableStream<WatchRequest, WatchEvent>) {
      keep(call.metadata.getMap());
      call.write({ revision: 'r1', leaseMs: 60_000, routes: { routes }, revokedUsers: [], views: [] });
    },
    Decide(call: ServerDuplexStream<DecisionRequest, DecisionResponse>) {
      keep(call.metadata.getMap());
      call.on('data', (request: DecisionRequest) => {
        keep(request);
        call.write({
          id: request.id,
          effect: 'ALLOW',
          decisionId: 'd',
          revision: 'r1',
          code: '',
          reason: '',
          policies: [],
          wouldDeny: [],
          ...obligations,
          vary: null,
          expiresAtMs: Date.now() + 60_000,
          principal: null,
          visible: [],
        });
      });
      call.on('end', () => call.end());
    },
    Report(call: ServerDuplexStream<AuditBatch, AuditAck>) {
      keep(call.metadata.getMap());
      call.on('data', (batch: AuditBatch) => {
        keep(batch);
        call.write({ id: batch.id });
      });
      call.on('end', () => call.end());
    },
  });
  const tls = ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(certPem), private_key: Buffer.from(keyPem) }]);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  );
  return {
    port,
    caPem,
    received: () => received.join('\n'),
    oblige(next) {
      obligations = next;
    },
    close: () => server.forceShutdown(),
  };
}
