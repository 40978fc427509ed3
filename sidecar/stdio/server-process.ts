import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { StdioCommand } from '../../extauthz/api/stdio-command.ts';
import type { Environment } from '../../runtime/env.ts';
import type { Logger } from '../../runtime/logger.ts';
import { childEnvironment } from './child-environment.ts';
import { LineReader, onOneLine } from './line-reader.ts';
import { StderrLog } from './stderr-log.ts';

export interface ServerProcessOptions {
  readonly command: StdioCommand;
  /** The sidecar's own environment, of which the server gets little. */
  readonly env: Environment;
  readonly maxLineBytes: number;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  readonly onLine: (line: Buffer) => void;
  readonly onOversizedLine: () => void;
  /** Called once, after the last line, with a phrase that says how it ended. */
  readonly onEnd: (how: string) => void;
}

/** Time between closing its input, SIGTERM and SIGKILL (MCP transports, stdio, Shutdown). */
const STOP_STEP_MS = 1_000;
/** A grandchild may hold the output open after the server is gone. */
const LAST_OUTPUT_MS = 500;

/** One running stdio MCP server: a process, and the lines that go in and come out. It leads a process group, so that all it starts ends with it. */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: LineReader;
  readonly #stderr: StderrLog;
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;
  #hasExited = false;

  /** @throws when the command cannot even be tried; that it does not exist is told by `onEnd`. */
  constructor(options: ServerProcessOptions) {
    const { command, env, maxLineBytes, monotonicMs, logger } = options;
    this.#options = options;
    this.#lines = new LineReader(maxLineBytes);
    this.#child = spawn(command.command, command.args, {
      cwd: '/',
      env: childEnvironment(env, command.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      detached: true,
      windowsHide: true,
    });
    const { pid } = this.#child;
    this.#stderr = new StderrLog((text) => logger.info({ pid, stderr: text }, 'stdio server'), monotonicMs);
    this.#child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#child.stderr.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // That a pipe broke shows as the end of the process.
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) pipe.on('error', () => {});
    this.#child.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#child.pid === undefined) this.#end(`could not be started (${error.code ?? error.message})`);
    });
    this.#child.on('exit', (code, signal) => {
      this.#hasExited = true;
      const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
      this.#kill('SIGKILL');
      this.#child.stdout.resume();
      this.#child.once('close', () => this.#end(how));
      setTimeout(() => this.#end(how), LAST_OUTPUT_MS).unref();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Settles when the process is gone and its last line was read. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Bytes that the server has not read yet. */
  get inputBacklogBytes(): number {
    return this.#child.stdin.writableLength;
  }

  write(message: Uint8Array): void {
    if (this.#isOver || !this.#child.stdin.writable) return;
    this.#child.stdin.write(Buffer.concat([onOneLine(message), Buffer.of(0x0a)]));
  }

  pauseOutput(): void {
    this.#child.stdout.pause();
  }

  resumeOutput(): void {
    this.#child.stdout.resume();
  }

  /** Closes its input; asks it, then makes it, to end if it does not do so by itself. */
  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#child.stdin.end();
    const asks = setTimeout(() => this.#kill('SIGTERM'), STOP_STEP_MS);
    const makes = setTimeout(() => this.#kill('SIGKILL'), 2 * STOP_STEP_MS);
    await this.ended;
    clearTimeout(asks);
    clearTimeout(makes);
  }

  /** Ends it at once, for when the sidecar itself is about to. */
  kill(): void {
    if (!this.#hasExited) this.#kill('SIGKILL');
  }

  #read(chunk: Buffer): void {
    const { lines, oversized } = this.#lines.push(chunk);
    for (const line of lines) this.#options.onLine(line);
    for (let count = 0; count < oversized; count += 1) this.#options.onOversizedLine();
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#isOver) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH')
        this.#options.logger.warn({ err: error, pid }, 'a stdio server could not be signalled');
    }
  }

  #end(how: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stderr.end();
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    this.#options.onEnd(how);
    this.#ended.resolve();
  }
}
