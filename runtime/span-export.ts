import type { Agent as HttpAgent } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from './http.ts';
import type { Logger } from './logger.ts';
import { OtlpWriter } from './otlp-writer.ts';

export interface SpanExportOptions {
  /** OTLP/HTTP endpoint, without `/v1/traces`. */
  readonly endpoint: string;
  /** Fields that the endpoint wants, such as an API key. */
  readonly headers: Readonly<Record<string, string>>;
  /** `service.name` and `service.version`. */
  readonly service: string;
  readonly version: string;
  /** Name of the instrumentation scope. */
  readonly scope: string;
  readonly logger: Logger;
}

const BATCH_BYTES = 256 * 1024;
/** How long a span waits for others. */
const GATHER_MS = 500;
const MAX_WAITING_BATCHES = 16;
const REQUEST_TIMEOUT_MS = 10_000;
const ATTEMPTS = 5;
const FIRST_RETRY_MS = 500;
const SHUTDOWN_MS = 1_000;
/** OTLP/HTTP, "Failures": only these may be tried again. */
const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Fields of `ExportTraceServiceRequest` and below. */
const RESOURCE_SPANS = 0x0a;
const SCOPE_SPANS = 0x12;

/**
 * Sends spans to an OTLP/HTTP collector in its protobuf encoding. They are written once, as bytes, when they end; a batch is those bytes
 * behind a fixed head, so that a span costs a tenth of what span objects cost. A collector that is away costs spans, never messages.
 */
export class SpanExport {
  /** Takes `ScopeSpans.spans` fields (tag 0x12), each followed by `written`. */
  readonly writer = new OtlpWriter(16 * 1024);
  readonly #options: SpanExportOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent;
  readonly #resource: Buffer;
  readonly #scope: Buffer;
  #waiting: Buffer[] = [];
  #gatherTimer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failing = false;

  constructor(options: SpanExportOptions) {
    const { endpoint, service, version, scope } = options;
    this.#options = options;
    this.#url = new URL(`${endpoint.replace(/\/$/, '')}/v1/traces`);
    this.#agent = new (this.#url.protocol === 'https:' ? TlsAgent : Agent)({ keepAlive: true });
    const head = new OtlpWriter(1_024);
    const resource = head.open(0x0a);
    head.attribute(0x0a, 'service.name', service);
    head.attribute(0x0a, 'service.version', version);
    head.close(resource);
    this.#resource = head.take();
    const inScope = head.open(0x0a);
    head.text(0x0a, scope);
    head.text(0x12, version);
    head.close(inScope);
    this.#scope = head.take();
  }

  /** Call after each span. */
  written(): void {
    if (this.writer.length >= BATCH_BYTES) this.#close();
    else this.#gatherTimer ??= setTimeout(() => this.#close(), GATHER_MS);
  }

  /** Sends what is left, if the collector takes it soon. */
  async shutdown(): Promise<void> {
    this.#close();
    await Promise.race([this.#sending, sleep(SHUTDOWN_MS, undefined, { ref: false })]);
    this.#agent.destroy();
  }

  /** Turns what was gathered into a batch and sees that it is sent. */
  #close(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    if (this.writer.length === 0) return;
    const spans = this.writer.take();
    if (this.#waiting.length >= MAX_WAITING_BATCHES) return this.#failed('too many spans wait for the collector');
    this.#waiting.push(Buffer.concat(field(RESOURCE_SPANS, [this.#resource, ...field(SCOPE_SPANS, [this.#scope, spans])])));
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  async #send(): Promise<void> {
    for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
      const fault = await this.#deliver(batch);
      if (fault === undefined) this.#failing = false;
      else this.#failed(fault);
      this.#waiting.shift();
    }
  }

  /** Why a batch could not be delivered, after all attempts. */
  async #deliver(batch: Buffer): Promise<string | undefined> {
    let fault: string | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (attempt > 1) await sleep(FIRST_RETRY_MS * 2 ** (attempt - 2), undefined, { ref: false });
      try {
        const status = await this.#post(batch);
        if (status >= 200 && status < 300) return undefined;
        fault = `the collector answered with HTTP ${status}`;
        if (!RETRIED.has(status)) return fault;
      } catch (error) {
        fault = error instanceof Error ? error.message : String(error);
      }
    }
    return fault;
  }

  #post(body: Buffer): Promise<number> {
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { ...this.#options.headers, 'content-type': 'application/x-protobuf', 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const outgoing = send(this.#url, { method: 'POST', headers, agent: this.#agent, timeout: REQUEST_TIMEOUT_MS }, (response) => {
        response.on('error', reject);
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.resume();
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('the collector did not answer in time')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** Said once for each time that the collector is away. */
  #failed(fault: string): void {
    if (!this.#failing) this.#options.logger.warn({ fault }, 'spans are dropped');
    this.#failing = true;
  }
}

/** A length-delimited field around bytes that are already there. */
function field(tag: number, parts: readonly Buffer[]): Buffer[] {
  let rest = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  while (rest > 0x7f) {
    head.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  head.push(rest);
  return [Buffer.from(head), ...parts];
}
