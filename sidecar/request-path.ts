import type { Logger } from '../runtime/logger.ts';
import { Admission } from './admission.ts';
import { Answers } from './answers/answers.ts';
import { Instructions } from './answers/instructions.ts';
import { KnownNames } from './answers/known-names.ts';
import type { AuditSpool } from './audit/spool.ts';
import type { Decider } from './authz/decide.ts';
import type { Clock } from './clock.ts';
import type { SidecarConfig } from './config.ts';
import { Batches } from './doors/batches.ts';
import { InnerCalls } from './inner-calls.ts';
import type { ListChanges } from './list-changes.ts';
import { OpenRequests } from './open-requests.ts';
import { Pipeline } from './pipeline.ts';
import type { Recorder } from './recorder.ts';
import { RequestStates } from './request-states.ts';
import type { Routes } from './routes.ts';
import type { ServerLegs } from './server-leg.ts';
import { ServerRequests } from './server-requests.ts';
import { SessionSeal } from './session-seal.ts';
import { TaskCalls } from './tasks/task-calls.ts';
import { TaskLedger } from './tasks/task-ledger.ts';
import { Tasks } from './tasks/tasks.ts';
import type { MessageTelemetry } from './telemetry/telemetry.ts';
import { ToolSchemas } from './tool-schemas.ts';
import { Upstreams } from './upstream/forward.ts';
import { PassThrough } from './upstream/pass-through.ts';
import type { Pools } from './upstream/pools.ts';

export interface RequestPathOptions {
  readonly config: SidecarConfig;
  readonly routes: Routes;
  readonly decider: Decider;
  readonly pools: Pools;
  readonly legs: ServerLegs;
  /** 32 bytes, the same for as long as sessions are to live. */
  readonly sessionKey: Uint8Array;
  readonly listChanges: ListChanges;
  readonly spool: AuditSpool;
  readonly telemetry: MessageTelemetry;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onStop: (stop: () => Promise<void> | void) => void;
}

/** The pipeline with all that it remembers between messages. */
export interface RequestPath {
  readonly pipeline: Pipeline;
  readonly batches: Batches;
  /** Lead nowhere before they are told what serves them. */
  readonly innerCalls: InnerCalls;
}

/** Puts the request path together. */
export function createRequestPath(options: RequestPathOptions): RequestPath {
  const { config, routes, decider, pools, legs, listChanges, spool, telemetry, recorder, clock, logger, onStop } = options;
  const { monotonicMs } = clock;
  const upstreams = new Upstreams(pools, legs);
  const passThrough = new PassThrough(legs);
  onStop(() => passThrough.close());
  const sessions = new SessionSeal(options.sessionKey);
  const serverRequests = new ServerRequests({ decider, upstreams, open: new OpenRequests(), logger });
  const tasks = new Tasks({ decider, ledger: new TaskLedger(), calls: new TaskCalls(), monotonicMs });
  const requestStates = new RequestStates(monotonicMs);
  const toolSchemas = new ToolSchemas(monotonicMs);
  const names = new KnownNames();
  const instructions = new Instructions({ decider, names });
  const answers = new Answers({
    config,
    routes,
    decider,
    tasks,
    requestStates,
    toolSchemas,
    names,
    instructions,
    sessions,
    serverRequests,
    listChanges,
    clock,
    logger,
  });
  const innerCalls = new InnerCalls();
  const batches = new Batches(innerCalls);
  const admission = new Admission({ decider, tasks, requestStates, toolSchemas, sessions, serverRequests, clock });
  const pipeline = new Pipeline({
    config,
    routes,
    admission,
    tasks,
    upstreams,
    passThrough,
    listChanges,
    answers,
    batches,
    spool,
    telemetry,
    recorder,
    clock,
    logger,
  });
  return { pipeline, batches, innerCalls };
}
