import { Client, type ClientDuplexStream, type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { authorizationService, type CheckRequest, type CheckResponse } from '../../../extauthz/api/envoy-protos.ts';
import {
  type AuditAck,
  type AuditBatch,
  type DecisionRequest,
  type DecisionResponse,
  policyService,
  type WatchEvent,
  type WatchRequest,
} from '../../../extauthz/api/protos.ts';
import type { RunningService } from './running-service.ts';
import { workloadClaims } from './test-issuer.ts';

/** How a stream ended: a gRPC status code and its text, `0` for a clean end. */
export interface Ended {
  readonly code: number;
  readonly details: string;
}

/** A gRPC client over TLS that shows a workload token, as a sidecar does. */
export class PolicyClient {
  readonly #client: Client;
  readonly metadata = new Metadata();

  constructor({ grpcPort, caPem }: Pick<RunningService, 'grpcPort' | 'caPem'>, token?: string) {
    this.#client = new Client(`localhost:${grpcPort}`, credentials.createSsl(Buffer.from(caPem)));
    if (token !== undefined) this.metadata.set('authorization', `Bearer ${token}`);
  }

  static async of(service: RunningService, claims = {}): Promise<PolicyClient> {
    return new PolicyClient(service, await service.workloads.sign(workloadClaims(service.workloads, claims)));
  }

  decide(): ClientDuplexStream<DecisionRequest, DecisionResponse> {
    const { path, requestSerialize, responseDeserialize } = policyService.Decide;
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.metadata);
  }

  watch(): ClientReadableStream<WatchEvent> {
    const { path, requestSerialize, responseDeserialize } = policyService.Watch;
    const request: WatchRequest = { version: 'test' };
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.metadata);
  }

  report(): ClientDuplexStream<AuditBatch, AuditAck> {
    const { path, requestSerialize, responseDeserialize } = policyService.Report;
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.metadata);
  }

  /** Rejects with the gRPC error, if the service ever gave one. */
  check(request: CheckRequest): Promise<CheckResponse> {
    const { path, requestSerialize, responseDeserialize } = authorizationService.Check;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.metadata, (error, response) => {
        if (error !== null || response === undefined) reject(error);
        else resolve(response);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Sends questions on one stream and matches the answers. */
export class Asking {
  readonly stream: ClientDuplexStream<DecisionRequest, DecisionResponse>;
  readonly ended: Promise<Ended>;
  readonly #waiting = new Map<number, (response: DecisionResponse) => void>();
  #nextId = 1;

  constructor(client: PolicyClient) {
    this.stream = client.decide();
    this.ended = endOf(this.stream);
    this.stream.on('data', (response: DecisionResponse) => {
      this.#waiting.get(response.id)?.(response);
      this.#waiting.delete(response.id);
    });
  }

  ask(question: Partial<Omit<DecisionRequest, 'id' | 'params'>> & { params?: unknown }): Promise<DecisionResponse> {
    const id = this.#nextId++;
    const { params, ...rest } = question;
    const bytes = params === undefined ? Buffer.alloc(0) : Buffer.isBuffer(params) ? params : Buffer.from(JSON.stringify(params));
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.stream.write({
        server: 'tickets',
        method: 'tools/call',
        userToken: '',
        items: null,
        minRevision: '',
        ...rest,
        id,
        params: bytes,
      });
    });
  }

  close(): void {
    this.stream.cancel();
  }
}

/** Resolves when a stream is over. */
export function endOf(stream: NodeJS.EventEmitter): Promise<Ended> {
  return new Promise((resolve) => {
    stream.on('error', ({ code, details }: ServiceError) => resolve({ code, details }));
    stream.on('end', () => resolve({ code: 0, details: '' }));
  });
}
