import { randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { DecisionResponse } from '../../extauthz/api/protos.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createLogger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics.ts';
import { AuditSpool } from '../../sidecar/audit/spool.ts';
import type { DecisionQuestion, PolicyClient } from '../../sidecar/authz/client.ts';
import { type Decided, Decider, type Question } from '../../sidecar/authz/decide.ts';
import { DecisionCache } from '../../sidecar/authz/decision-cache.ts';
import { Lease } from '../../sidecar/authz/lease.ts';
import { SYSTEM_CLOCK } from '../../sidecar/clock.ts';
import { readSidecarConfig } from '../../sidecar/config.ts';
import { ListChanges } from '../../sidecar/list-changes.ts';
import type { Pipeline } from '../../sidecar/pipeline.ts';
import { Recorder } from '../../sidecar/recorder.ts';
import { createRequestPath } from '../../sidecar/request-path.ts';
import { Routes } from '../../sidecar/routes.ts';
import type { ServerLegs } from '../../sidecar/server-leg.ts';
import { MessageTelemetry } from '../../sidecar/telemetry/telemetry.ts';
import { Pools } from '../../sidecar/upstream/pools.ts';
import type { GeneratedRequest } from './generated-request.ts';
import { isPermitted, isPermittedName, isPermittedUri } from './pretend-policy.ts';
import { readLast } from './readers.ts';

const REVISION = 'fuzz';

/** A message that policy allowed, as policy was asked about it. */
export type Judged = Pick<Question, 'method' | 'target' | 'params'>;

/** Keeps what was allowed; everything else is the product's. */
class WatchedDecider extends Decider {
  readonly allowed: Judged[] = [];

  override decideFromCache(question: Question): Decided | undefined {
    return this.#note(question, super.decideFromCache(question));
  }

  override async decide(question: Question): Promise<Decided> {
    const decided = await super.decide(question);
    this.#note(question, decided);
    return decided;
  }

  #note({ method, target, params }: Question, decided: Decided | undefined): Decided | undefined {
    if (decided?.outcome.ok) this.allowed.push({ method, target, params });
    return decided;
  }
}

/** A policy service that decides at once, by method and parameters alone. */
function pretendPolicyService(): Pick<PolicyClient, 'decide'> {
  let made = 0;
  return {
    async decide({ method, params, items }: DecisionQuestion): Promise<DecisionResponse> {
      const isName = method === 'tools/list' || method === 'prompts/list';
      const visible = items?.names.map((name) => (isName ? isPermittedName(name) : isPermittedUri(name))) ?? [];
      const readable: unknown = params.length === 0 ? undefined : readLast(Buffer.from(params).toString());
      const allow = isPermitted(method, readable);
      return {
        id: 0,
        effect: allow ? 'ALLOW' : 'DENY',
        decisionId: `d-${++made}`,
        revision: REVISION,
        code: allow ? '' : 'not_permitted',
        reason: allow ? '' : 'not permitted',
        policies: [],
        wouldDeny: [],
        setHeaders: [],
        removeHeaders: [],
        credential: '',
        vary: { arguments: method === 'subscriptions/listen', time: made % 3 === 0 },
        expiresAtMs: Number.MAX_SAFE_INTEGER,
        principal: {
          userId: 'alice',
          subject: 'alice',
          issuer: 'i',
          groups: [],
          namespace: 'n',
          serviceAccount: 's',
          pod: '',
        },
        visible,
      };
    },
  };
}

/** What the agent got. */
export interface Output {
  readonly status: number;
  readonly body: Buffer;
  /** Whether the answer ended, and did not break off. */
  readonly isWhole: boolean;
}

/** The sidecar's request path in this process, between a pretended agent and a server that the test plays. */
export interface FuzzedSidecar {
  readonly pipeline: Pipeline;
  readonly decider: WatchedDecider;
  send(request: GeneratedRequest): Promise<Output>;
  close(): Promise<void>;
}

/** @param url of the one server, whose name is `files` */
export function createFuzzedSidecar(url: URL, legs: ServerLegs): FuzzedSidecar {
  const config = readSidecarConfig({
    SIDEGATE_POLICY_ADDRESS: 'localhost:1',
    SIDEGATE_POLICY_CA_PEM: 'none',
    SIDEGATE_WORKLOAD_TOKEN_FILE: '/none',
  });
  const logger: Logger = createLogger('sidecar', 'silent');
  const lease = new Lease();
  const cache = new DecisionCache(lease);
  lease.renew(REVISION, 86_400_000, SYSTEM_CLOCK.monotonicMs());
  cache.dropOutdated();
  const routes = new Routes();
  routes.replace([{ name: 'files', url }]);
  const decider = new WatchedDecider(pretendPolicyService() as PolicyClient, cache, config.decisionTimeoutMs, SYSTEM_CLOCK);
  const spool = new AuditSpool({
    report: async () => {},
    dir: undefined,
    backlogLimit: 10_000_000,
    logger,
  });
  const pools = new Pools(config.upstreamTimeoutMs);
  const telemetry = new MessageTelemetry(undefined, new Metrics({ service: 'fuzz', version: '0', scope: 'fuzz' }));
  const recorder = new Recorder(telemetry, spool);
  const stops: (() => Promise<void> | void)[] = [];
  const { pipeline, innerCalls } = createRequestPath({
    config,
    routes,
    decider,
    pools,
    legs,
    sessionKey: randomBytes(32),
    listChanges: new ListChanges(),
    spool,
    telemetry,
    recorder,
    clock: SYSTEM_CLOCK,
    logger,
    onStop: (stop) => stops.push(stop),
  });
  innerCalls.serve((request, response) => pipeline.handle(request, response));
  return {
    pipeline,
    decider,
    send: (request) => sendInMemory(pipeline, request),
    async close() {
      recorder.drain();
      await spool.stop(0);
      for (const stop of stops) await stop();
      await pools.close();
    },
  };
}

/** Hands one request to the pipeline, without a connection. HTTP/1.0, so that the body is not in chunks. */
async function sendInMemory(pipeline: Pipeline, { method, fields, body }: GeneratedRequest): Promise<Output> {
  const written: Buffer[] = [];
  const connection = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  }) as Socket;
  const request = new IncomingMessage(connection);
  request.method = method;
  request.url = '/files/mcp';
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 0;
  request.rawHeaders = fields;
  request.headersDistinct = distinct(fields);
  request.headers = Object.fromEntries(Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.join(', ')]));
  const response = new ServerResponse(request);
  const over = Promise.withResolvers<void>();
  response.assignSocket(connection);
  response.on('close', over.resolve);
  response.on('finish', over.resolve);
  request.push(body);
  request.push(null);
  request.complete = true;
  await pipeline.handle(request, response);
  await over.promise;
  const bytes = Buffer.concat(written);
  const head = bytes.indexOf('\r\n\r\n');
  return {
    status: response.statusCode,
    body: head === -1 ? Buffer.alloc(0) : bytes.subarray(head + 4),
    isWhole: response.writableFinished,
  };
}

/** Each field's values, as Node reads them. */
function distinct(fields: readonly string[]): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase();
    values[name] = [...(values[name] ?? []), fields[at + 1] ?? ''];
  }
  return values;
}
