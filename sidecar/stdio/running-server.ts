import type { StdioCommand } from '../../extauthz/api/stdio-command.ts';
import type { Environment } from '../../runtime/env.ts';
import type { Logger } from '../../runtime/logger.ts';
import { upstreamFailed } from '../denial.ts';
import type { Era } from '../mcp/protocol-version.ts';
import type { Route } from '../routes.ts';
import { Conversation } from './conversation.ts';
import { ServerProcess } from './server-process.ts';

export interface RunningServerOptions {
  readonly route: Route;
  readonly userId: string;
  readonly era: Era;
  readonly command: StdioCommand;
  readonly env: Environment;
  readonly maxLineBytes: number;
  readonly answerTimeoutMs: number;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  /** Told once, whether the end was asked for. */
  readonly onEnd: (server: RunningServer, wasAsked: boolean) => void;
}

/** A process, whom it runs for, and what is said with it. */
export class RunningServer {
  readonly route: Route;
  readonly userId: string;
  readonly era: Era;
  readonly process: ServerProcess;
  readonly conversation: Conversation;
  readonly startedAtMs: number;
  readonly #options: RunningServerOptions;
  readonly #command: string;
  #stopReason: string | undefined;
  lastUsedMs: number;
  /** Set once a legacy session is open. */
  sessionId: string | undefined;

  constructor(options: RunningServerOptions) {
    const { route, userId, era, command, env, maxLineBytes, answerTimeoutMs, monotonicMs, logger } = options;
    this.#options = options;
    this.#command = JSON.stringify(command);
    this.route = route;
    this.userId = userId;
    this.era = era;
    this.startedAtMs = monotonicMs();
    this.lastUsedMs = this.startedAtMs;
    this.process = new ServerProcess({
      command,
      env,
      maxLineBytes,
      monotonicMs,
      logger,
      onLine: (line) => this.conversation.take(line),
      onOversizedLine: () => this.conversation.takeOversized(),
      onEnd: (how) => this.#ended(how),
    });
    this.conversation = new Conversation(this.process, { server: route.name, era, maxLineBytes, answerTimeoutMs, logger });
    logger.info({ pid: this.process.pid, command: command.command, user: userId, era }, 'stdio server started');
  }

  get isStopping(): boolean {
    return this.#stopReason !== undefined;
  }

  runs(command: StdioCommand): boolean {
    return JSON.stringify(command) === this.#command;
  }

  touch(): void {
    this.lastUsedMs = this.#options.monotonicMs();
  }

  /** Ends it. Whoever still waits for an answer is told at once. */
  async stop(why: string): Promise<void> {
    if (this.#stopReason === undefined) {
      this.#stopReason = why;
      this.conversation.end(upstreamFailed('upstream_unreachable', `the server ${this.route.name} ${why}`));
    }
    await this.process.stop();
  }

  #ended(how: string): void {
    const { logger, onEnd } = this.#options;
    const wasAsked = this.isStopping;
    logger[wasAsked ? 'info' : 'warn']({ pid: this.process.pid, how, why: this.#stopReason }, 'stdio server ended');
    this.conversation.end(upstreamFailed('upstream_unreachable', `the server ${this.route.name} ${how} before it answered`));
    onEnd(this, wasAsked);
  }
}
