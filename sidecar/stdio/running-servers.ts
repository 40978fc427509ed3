import { setTimeout as sleep } from 'node:timers/promises';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { StdioCommand } from '../../extauthz/api/stdio-command.ts';
import type { Environment } from '../../runtime/env.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Clock } from '../clock.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import type { Era } from '../mcp/protocol-version.ts';
import type { Route } from '../routes.ts';
import { RestartBackoff } from './restart-backoff.ts';
import { RunningServer } from './running-server.ts';

export interface ProcessLimits {
  /** The registered server of this name, as of now. */
  readonly routeOf: (name: string) => Route | undefined;
  readonly maxProcesses: number;
  readonly maxLineBytes: number;
  /** Time after which a process that nobody uses is ended. */
  readonly idleMs: number;
  readonly answerTimeoutMs: number;
  readonly env: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A start that has to wait longer is refused instead. */
const MAX_START_DELAY_MS = 2_000;
const MAX_SWEEP_MS = 30_000;

/** The processes of this pod's stdio servers: never more than allowed, none that nobody uses, and none started over and over. */
export class RunningServers {
  readonly #limits: ProcessLimits;
  /** Told, maybe more than once, when new messages may no longer go to a process. */
  readonly #onForget: (server: RunningServer) => void;
  readonly #running = new Set<RunningServer>();
  readonly #backoff = new RestartBackoff();
  readonly #sweep: NodeJS.Timeout;
  readonly #killAll = () => {
    for (const server of this.#running) server.process.kill();
  };
  #starting = 0;
  #closed = false;

  constructor(limits: ProcessLimits, onForget: (server: RunningServer) => void) {
    this.#limits = limits;
    this.#onForget = onForget;
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(limits.idleMs / 2, MAX_SWEEP_MS)).unref();
    process.once('exit', this.#killAll);
  }

  /** Whether the process runs, and is not about to end. */
  has(server: RunningServer): boolean {
    return this.#running.has(server) && !server.isStopping;
  }

  async start(route: Route, userId: string, command: StdioCommand, era: Era): Promise<Result<RunningServer, Refusal>> {
    const { clock, maxProcesses, maxLineBytes, answerTimeoutMs, env, logger, routeOf } = this.#limits;
    const refuse = (why: string) => fail(upstreamFailed('upstream_unreachable', `the server ${route.name} ${why}`));
    const delayMs = this.#backoff.delayMs(backoffKey(route.name, userId), clock.monotonicMs());
    if (delayMs > MAX_START_DELAY_MS)
      return refuse(`keeps ending soon after its start; it is started again in ${Math.ceil(delayMs / 1_000)} s`);
    // Counted while it waits as well, so that no number of callers gets past the limit.
    this.#starting += 1;
    try {
      await sleep(delayMs);
      while (this.#running.size + this.#starting > maxProcesses && (await this.#makeRoom()));
      if (this.#running.size + this.#starting > maxProcesses) return refuse(`cannot be started: ${maxProcesses} processes run already`);
      const { stdio } = routeOf(route.name) ?? {};
      if (this.#closed || stdio === undefined) return refuse('is no longer registered');
      const server = new RunningServer({
        route,
        userId,
        era,
        command,
        env,
        maxLineBytes,
        answerTimeoutMs,
        monotonicMs: clock.monotonicMs,
        logger: logger.child({ server: route.name }),
        onEnd: (ended, wasAsked) => this.#ended(ended, wasAsked),
      });
      this.#running.add(server);
      if (!server.runs(stdio)) this.stop(server, 'is no longer registered as it was');
      return ok(server);
    } catch (error) {
      logger.warn({ err: error, server: route.name }, 'a stdio server could not be started');
      return refuse('could not be started');
    } finally {
      this.#starting -= 1;
    }
  }

  /** Ends a process in its own time; nothing new goes there from now on. */
  stop(server: RunningServer, why: string): void {
    this.#onForget(server);
    void server.stop(why);
  }

  /** Ends processes whose server is no longer registered, or is now another. */
  reconcile(): void {
    for (const server of this.#running) {
      const route = this.#limits.routeOf(server.route.name);
      if (route?.stdio === undefined || !server.runs(route.stdio)) this.stop(server, 'is no longer registered as it was');
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    await Promise.all([...this.#running].map((server) => server.stop('was stopped with the sidecar')));
    process.off('exit', this.#killAll);
  }

  #ended(server: RunningServer, wasAsked: boolean): void {
    this.#onForget(server);
    this.#running.delete(server);
    const key = backoffKey(server.route.name, server.userId);
    if (!wasAsked) this.#backoff.ended(key, server.startedAtMs, this.#limits.clock.monotonicMs());
  }

  /** Waits until one process has ended; false when none is about to. A modern process holds nothing that its user could miss; a session does. */
  async #makeRoom(): Promise<boolean> {
    const running = [...this.#running];
    const stopping = running.filter(({ isStopping }) => isStopping);
    if (stopping.length === 0) {
      const idle = running.filter(({ era, conversation }) => era === 'modern' && !conversation.isBusy);
      const [longest] = idle.sort((a, b) => a.lastUsedMs - b.lastUsedMs);
      if (longest === undefined) return false;
      this.stop(longest, 'made room for another');
      stopping.push(longest);
    }
    await Promise.race(stopping.map(({ process: { ended } }) => ended));
    return true;
  }

  #endIdle(): void {
    const nowMs = this.#limits.clock.monotonicMs();
    this.#backoff.sweep(nowMs);
    for (const server of this.#running) {
      if (!server.conversation.isBusy && nowMs - server.lastUsedMs >= this.#limits.idleMs) this.stop(server, 'was not used');
    }
  }
}

function backoffKey(server: string, userId: string): string {
  return `${server}/${userId}`;
}
