import type { AuditRecord } from '../../extauthz/api/audit-record.ts';
import { readAudit } from './audit.ts';
import { EXPECTATIONS, type Expectation } from './expectations.ts';
import { judgeTrace, judgeUser } from './judge.ts';
import { measureLatency } from './latency.ts';
import type { Mesh } from './mesh.ts';
import { callOutcome, type QuickStartOutcome, type TraceOutcome, type UserOutcome, whoAmI } from './outcome.ts';
import type { Ports } from './ports.ts';
import { agentUrls, ticketsUrl } from './processes.ts';
import { runAgent } from './run-agent.ts';
import type { StateDirectory } from './state-directory.ts';

export interface DemonstrationOptions {
  readonly mesh: Mesh;
  readonly ports: Ports;
  readonly state: StateDirectory;
  readonly sdk: 'v1' | 'v2';
  readonly progress: (line: string) => void;
}

const TRACE_TIMEOUT_MS = 10_000;
/** The SERVER and the CLIENT span of one call. */
const SPANS_A_CALL = 2;

function token(tokens: ReadonlyMap<string, string>, user: string): string {
  const found = tokens.get(user);
  if (found === undefined) throw new Error(`${user} was not signed in`);
  return found;
}

/** Shows the ticket server a token that is not for it. */
async function statusWithToken(url: string, bearer: string): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
  });
  await response.body?.cancel();
  return response.status;
}

/** Finds the audit records of a user's tool calls, by tool, in the order they were made. */
function wouldDenyOf(records: readonly AuditRecord[], user: string, server: string, tool: string, position: number): readonly string[] {
  const calls = records.filter(
    (record) => record.user?.id === user && record.server === server && record.method === 'tools/call' && record.target === tool,
  );
  return calls[position]?.wouldDeny ?? [];
}

/** Runs the same agent for one user and says what happened. */
async function runUser(
  { mesh, ports, state, sdk }: DemonstrationOptions,
  { user, groups }: Expectation,
): Promise<{ outcome: UserOutcome; traceparent: string }> {
  const bearer = token(mesh.agentTokens, user);
  const report = await runAgent({ sdk, servers: agentUrls(ports), token: bearer });
  const records = await readAudit(state, user, report.calls.length);
  const calls = report.calls.map((call, index) => {
    const position = report.calls.slice(0, index).filter(({ server, tool }) => server === call.server && tool === call.tool).length;
    return callOutcome(call, wouldDenyOf(records, user, call.server, call.tool, position));
  });
  const seen = whoAmI(report);
  const ownTokenAtTickets = await statusWithToken(ticketsUrl(ports), bearer);
  const upstreamCredential = seen === undefined ? null : { user: seen.user, audience: seen.audience, clientId: seen.clientId };
  return {
    outcome: { user, groups, servers: report.servers, calls, upstreamCredential, auditedCalls: records.length, ownTokenAtTickets },
    traceparent: seen?.traceparent ?? '',
  };
}

/** Collects the spans of the call that brought this `traceparent` to the ticket server (W3C Trace Context). */
async function traceOf({ mesh }: DemonstrationOptions, traceparent: string): Promise<TraceOutcome> {
  const [, traceId = '', upstreamParentSpanId = ''] = traceparent.split('-');
  return { traceId, upstreamParentSpanId, spans: await mesh.traces.spansOf(traceId, SPANS_A_CALL, TRACE_TIMEOUT_MS) };
}

/** Runs the agent for every user against the running mesh, and compares what happened with what the bundle says. */
export async function demonstrate(options: DemonstrationOptions, startedAtMs: number): Promise<QuickStartOutcome> {
  const secondsToReady = (performance.now() - startedAtMs) / 1_000;
  const users: UserOutcome[] = [];
  const traceparents: string[] = [];
  for (const expectation of EXPECTATIONS) {
    options.progress(`running the agent for ${expectation.user}`);
    const { outcome, traceparent } = await runUser(options, expectation);
    users.push(outcome);
    traceparents.push(traceparent);
  }
  options.progress('measuring latency');
  const { mesh, ports, sdk } = options;
  const [first] = EXPECTATIONS;
  const user = first?.user ?? '';
  const latency = await measureLatency(
    { sdk, servers: { tickets: agentUrls(ports).tickets }, token: token(mesh.agentTokens, user) },
    { sdk, servers: { tickets: ticketsUrl(ports) }, token: token(mesh.ticketsTokens, user) },
  );
  const trace = await traceOf(options, traceparents[0] ?? '');
  const checks = [
    ...EXPECTATIONS.flatMap((expectation, index) => judgeUser(expectation, users[index] as UserOutcome, ticketsUrl(ports))),
    ...judgeTrace(trace),
  ];
  const seconds = (performance.now() - startedAtMs) / 1_000;
  return { ok: checks.every(({ ok }) => ok), sdk, users, latency, trace, checks, secondsToReady, seconds };
}
