import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { connectV1 } from './connect-v1.ts';
import { connectV2 } from './connect-v2.ts';
import type { Connection } from './connection.ts';
import { MEASURED_CALL, PLAN, type PlannedCall } from './plan.ts';
import type { AgentReport, SeenCall, SeenServer } from './report.ts';

/**
 * An agent as anybody would write it. It knows an URL for each server and its user's token, and nothing of Sidegate.
 * Prints an `AgentReport` as one JSON document.
 *
 * - `USER_TOKEN`: its user's access token
 * - `MCP_SERVERS`: JSON object of server name to URL; without it, the two servers behind the sidecar
 * - `--sdk v1|v2`: which line of the official SDK to use
 * - `--repeat N`: call one tool N times more and report the latencies, instead of following the plan
 */
const DEFAULT_SERVERS = {
  tickets: 'http://localhost:9400/tickets/mcp',
  everything: 'http://localhost:9400/everything/mcp',
};

async function timedCall(connection: Connection, planned: PlannedCall): Promise<SeenCall> {
  const startedAt = performance.now();
  const outcome = await connection.call(planned.tool, planned.arguments);
  return { ...planned, outcome, latencyMs: performance.now() - startedAt };
}

const { values } = parseArgs({ options: { sdk: { type: 'string', default: 'v1' }, repeat: { type: 'string', default: '0' } } });
if (values.sdk !== 'v1' && values.sdk !== 'v2') throw new Error('--sdk is v1 or v2');
const connect = values.sdk === 'v1' ? connectV1 : connectV2;
const token = process.env['USER_TOKEN'];
if (token === undefined) throw new Error('USER_TOKEN is not set');
const urls = JSON.parse(process.env['MCP_SERVERS'] ?? JSON.stringify(DEFAULT_SERVERS)) as Record<string, string>;
const repetitions = Number(values.repeat);

const servers: SeenServer[] = [];
const calls: SeenCall[] = [];
const repeatedMs: number[] = [];
for (const [server, url] of Object.entries(urls)) {
  const connection = await connect(url, token);
  try {
    if (repetitions === 0) {
      servers.push(await connection.look(server));
      for (const planned of PLAN.filter((call) => call.server === server)) calls.push(await timedCall(connection, planned));
    } else if (server === MEASURED_CALL.server) {
      for (let count = 0; count < repetitions; count += 1) repeatedMs.push((await timedCall(connection, MEASURED_CALL)).latencyMs);
    }
  } finally {
    await connection.close();
  }
}
process.stdout.write(`${JSON.stringify({ sdk: values.sdk, servers, calls, repeatedMs } satisfies AgentReport)}\n`);
