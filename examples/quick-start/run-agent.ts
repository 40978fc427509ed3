import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { AgentReport } from '../agent/report.ts';
import { telltaleLine } from './child-process.ts';

const AGENT = fileURLToPath(new URL('../agent/agent.ts', import.meta.url));
const AGENT_TIMEOUT_MS = 60_000;

/** A program that the launcher ran to its end failed. The message holds the program's own last words. */
export class RunError extends Error {
  override readonly name = 'RunError';
}

export interface AgentRun {
  readonly sdk: 'v1' | 'v2';
  /** URL by server name. */
  readonly servers: Readonly<Record<string, string>>;
  readonly token: string;
  readonly repeat?: number;
}

/** Runs the agent as a process of its own, which gets the user's token, the URLs and nothing else. */
export async function runAgent({ sdk, servers, token, repeat = 0 }: AgentRun): Promise<AgentReport> {
  const env = { PATH: process.env['PATH'] ?? '', USER_TOKEN: token, MCP_SERVERS: JSON.stringify(servers) };
  const options = { env, timeout: AGENT_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [AGENT, '--sdk', sdk, '--repeat', String(repeat)], options);
    return JSON.parse(stdout) as AgentReport;
  } catch (error) {
    throw new RunError(`the agent failed: ${telltaleLine((error as { stderr?: string }).stderr ?? String(error))}`, { cause: error });
  }
}
