import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  type AuditAck,
  type AuditBatch,
  type DecisionRequest,
  type DecisionResponse,
  policyService,
  type WatchEvent,
  type WatchRequest,
} from '../../extauthz/api/protos.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Address, formatAddress } from '../../runtime/setting-types.ts';
import { VERSION } from '../../runtime/version.ts';
import { backoffMs } from './backoff.ts';

export interface PolicyClientOptions {
  readonly address: Address;
  /** PEM of the authority that signed the service's certificate. */
  readonly caPem: string;
  /** Name expected in that certificate, when it is not the address. */
  readonly serverName: string | undefined;
  /** Gives the current workload token, which the service verifies at the start of each stream. */
  readonly workloadToken: () => string;
  readonly onWatchEvent: (event: WatchEvent) => void;
  readonly logger: Logger;
  readonly random: () => number;
}

/** No decision could be had: the service cannot be reached, or did not answer in time. The message may be shown to the agent. */
export class NoDecision extends Error {
  override readonly name = 'NoDecision';
}

/** Where it is, and what is wrong with it, is for `/readyz` and the log. */
const AWAY = 'the policy service cannot be reached';

export type DecisionQuestion = Omit<DecisionRequest, 'id'>;

interface Pending {
  readonly request: DecisionRequest;
  readonly resolve: (response: DecisionResponse) => void;
  readonly reject: (error: NoDecision) => void;
  readonly timer: NodeJS.Timeout;
}

/** Reconnects quickly: the sidecar fails closed until it is back. Keepalive finds a service that hangs without closing. */
const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
  'grpc.enable_retries': 0,
};

/**
 * The sidecar's connection to the policy service: one `Decide`, one `Watch` and one `Report` stream over one TLS channel,
 * each opened again with backoff when it ends. A question that meets a broken stream waits for the first attempt to mend it;
 * while the service is known to be away, questions fail at once.
 */
export class PolicyClient {
  readonly #options: PolicyClientOptions;
  readonly #client: Client;
  readonly #pending = new Map<number, Pending>();
  readonly #acks = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  /** In use. */
  #decide: ClientDuplexStream<DecisionRequest, DecisionResponse> | undefined;
  /** Opened, and waiting for its first Watch event. */
  #opening: ClientDuplexStream<DecisionRequest, DecisionResponse> | undefined;
  #watch: ClientReadableStream<WatchEvent> | undefined;
  #report: ClientDuplexStream<AuditBatch, AuditAck> | undefined;
  #nextId = 1;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #problem: string | undefined = 'not connected to the policy service yet';
  #closed = false;

  constructor(options: PolicyClientOptions) {
    this.#options = options;
    const tls = credentials.createSsl(Buffer.from(options.caPem));
    const name =
      options.serverName === undefined
        ? {}
        : { 'grpc.ssl_target_name_override': options.serverName, 'grpc.default_authority': options.serverName };
    this.#client = new Client(formatAddress(options.address), tls, { ...CHANNEL_OPTIONS, ...name });
    this.#connect();
  }

  /** Why the service cannot be asked now; undefined while connected. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** @throws {NoDecision} when the service is away or does not answer within `timeoutMs`. */
  decide(question: DecisionQuestion, timeoutMs: number): Promise<DecisionResponse> {
    if (this.#decide === undefined && (this.#failures > 1 || this.#closed)) return Promise.reject(new NoDecision(AWAY));
    const id = this.#nextId++;
    const request: DecisionRequest = { id, ...question };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new NoDecision('the policy service did not answer in time'));
      }, timeoutMs);
      this.#pending.set(id, { request, resolve, reject, timer });
      this.#decide?.write(request);
    });
  }

  /** Sends one batch of audit records; settles when the service has stored it. Rejects when the stream ends first. */
  report(records: readonly Uint8Array[]): Promise<void> {
    if (this.#problem !== undefined) return Promise.reject(new Error(this.#problem));
    this.#report ??= this.#openReport();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#acks.set(id, { resolve, reject });
      this.#report?.write({ id, records });
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const stream of [this.#decide, this.#watch, this.#report]) stream?.cancel();
    this.#rejectAll('the sidecar is stopping');
    this.#client.close();
  }

  #connect(): void {
    const metadata = this.#metadata();
    const { Decide, Watch } = policyService;
    const decide = this.#client.makeBidiStreamRequest(Decide.path, Decide.requestSerialize, Decide.responseDeserialize, metadata);
    decide.on('data', (response: DecisionResponse) => this.#answer(response));
    decide.on('error', (error: ServiceError) => this.#disconnected(decide, describe(error)));
    decide.on('end', () => this.#disconnected(decide, 'the policy service ended the stream'));

    const request: WatchRequest = { version: VERSION };
    const watch = this.#client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, request, metadata);
    watch.on('data', (event: WatchEvent) => {
      if (this.#watch === watch) this.#connected(decide, event);
    });
    watch.on('error', (error: ServiceError) => this.#disconnected(decide, describe(error)));
    watch.on('end', () => this.#disconnected(decide, 'the policy service ended the stream'));
    this.#watch = watch;
    // Questions wait for the first Watch event: until then nothing is known about the service or its revision.
    this.#opening = decide;
  }

  #connected(decide: ClientDuplexStream<DecisionRequest, DecisionResponse>, event: WatchEvent): void {
    this.#options.onWatchEvent(event);
    if (this.#decide === decide) return;
    this.#decide = decide;
    this.#opening = undefined;
    this.#failures = 0;
    this.#problem = undefined;
    this.#options.logger.info({ revision: event.revision }, 'connected to the policy service');
    // Deciding has no effect of its own, so what a broken stream left unanswered is simply asked again.
    for (const { request } of this.#pending.values()) decide.write(request);
  }

  #disconnected(decide: ClientDuplexStream<DecisionRequest, DecisionResponse>, reason: string): void {
    if (this.#closed || (decide !== this.#decide && decide !== this.#opening)) return;
    const wasConnected = this.#decide === decide;
    this.#decide = undefined;
    this.#opening = undefined;
    decide.cancel();
    this.#watch?.cancel();
    this.#report?.cancel();
    this.#report = undefined;
    this.#rejectAcks(reason);
    this.#problem = `no connection to the policy service at ${formatAddress(this.#options.address)}: ${reason}`;
    this.#failures += 1;
    if (wasConnected) this.#options.logger.warn({ reason }, 'lost the policy service');
    else {
      this.#rejectPending();
      this.#options.logger.debug({ reason, failures: this.#failures }, 'the policy service is away');
    }
    this.#retry = setTimeout(() => this.#connect(), wasConnected ? 0 : backoffMs(this.#failures, this.#options.random));
  }

  #openReport(): ClientDuplexStream<AuditBatch, AuditAck> {
    const { Report } = policyService;
    const report = this.#client.makeBidiStreamRequest(Report.path, Report.requestSerialize, Report.responseDeserialize, this.#metadata());
    const ended = (reason: string) => {
      if (this.#report !== report) return;
      this.#report = undefined;
      this.#rejectAcks(reason);
    };
    report.on('data', ({ id }: AuditAck) => {
      this.#acks.get(id)?.resolve();
      this.#acks.delete(id);
    });
    report.on('error', (error: ServiceError) => ended(describe(error)));
    report.on('end', () => ended('the policy service ended the stream'));
    return report;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${this.#options.workloadToken()}`);
    return metadata;
  }

  #answer(response: DecisionResponse): void {
    const pending = this.#pending.get(response.id);
    if (pending === undefined) return;
    this.#pending.delete(response.id);
    clearTimeout(pending.timer);
    pending.resolve(response);
  }

  #rejectAll(reason: string): void {
    this.#rejectPending();
    this.#rejectAcks(reason);
  }

  #rejectPending(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new NoDecision(AWAY));
    }
    this.#pending.clear();
  }

  #rejectAcks(reason: string): void {
    for (const { reject } of this.#acks.values()) reject(new Error(reason));
    this.#acks.clear();
  }
}

function describe({ details, message }: ServiceError): string {
  // grpc-js appends what it tried; the cause is the last error in it.
  const text = details || message;
  return /Last error: (?:Error: )?([^.]+(?:\.\d+)*[^.]*?)\.? *(?:Resolution note: *)?$/.exec(text)?.[1] ?? text;
}
