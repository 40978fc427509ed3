import { join, relative } from 'node:path';
import type { Ports } from './ports.ts';
import { agentUrls } from './processes.ts';
import type { StateDirectory } from './state-directory.ts';

export interface NextStepsOptions {
  readonly ports: Ports;
  readonly state: StateDirectory;
  readonly policyServicePid: number;
}

/** A path as one types it in this shell. */
function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}

/** The command that starts the policy service again, with the settings it had. */
export function policyServiceCommand(state: StateDirectory): string {
  return `npx node --env-file=${shown(state.at('extauthz.env'))} bin/sidegate.ts extauthz serve`;
}

/** What to try while the mesh is up. Every command line is meant to be pasted. */
export function nextSteps({ ports, state, policyServicePid }: NextStepsOptions): string {
  const { tickets, everything } = agentUrls(ports);
  const tokenCommand =
    state.path === join(process.cwd(), '.sidegate') ? 'npm run -s token' : `SIDEGATE_QUICK_START_DIR=${shown(state.path)} npm run -s token`;
  const ready = `curl -s http://127.0.0.1:${ports.sidecarAdmin}/readyz`;
  return `
It stays up until Ctrl-C. To try:

  Point any MCP client at
    ${tickets}
    ${everything}
    http://localhost:${ports.agent}/mcp    (all of them as one)
  with the header  Authorization: Bearer <token>  where the token comes from
    ${tokenCommand} alice        (or bob; good for 8 hours)

  MCP Inspector
    npx @modelcontextprotocol/inspector@latest --cli ${everything} --transport http \\
      --header "Authorization: Bearer $(${tokenCommand} alice)" --method tools/list

  curl
    curl -s ${tickets} -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \\
      -H "authorization: Bearer $(${tokenCommand} alice)" \\
      -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_ticket","arguments":{"id":"T-101"}}}'

  Change a policy: edit a file in ${shown(state.at('bundle'))} (a copy of examples/bundle, made at each start).
  It takes effect within a second. Break it, and this terminal says file, line and reason; the old one stays.

  Take the policy service away, and bring it back
    kill ${policyServicePid}
    ${ready}
    ${policyServiceCommand(state)}

  Read the audit trail
    npx node --env-file=${shown(state.at('extauthz.env'))} bin/sidegate.ts extauthz audit

  Logs are in ${shown(state.at('logs'))}.
`;
}
