import type { Container, EnvVariable } from './pod.ts';
import type { Refusal } from './refusal.ts';
import { AGENT_PORT } from './sidecar-container.ts';

const BASE_URL = `http://localhost:${AGENT_PORT}`;
export const BASE_URL_VARIABLE = 'SIDEGATE_URL';

/** Variables that tell a container where its MCP servers are: always the sidecar, and one for each server the pod names. */
export function agentVariables(servers: readonly string[]): EnvVariable[] {
  return [
    { name: BASE_URL_VARIABLE, value: BASE_URL },
    ...servers.map((server) => ({ name: serverVariable(server), value: `${BASE_URL}/${server}/mcp` })),
  ];
}

/** `tickets` becomes `TICKETS_MCP_URL`. A name that begins with a digit gets `_` before it, since shells allow no such variable. */
export function serverVariable(server: string): string {
  return `${server.replaceAll('-', '_').toUpperCase()}_MCP_URL`.replace(/^(?=\d)/, '_');
}

/** Different server names that become one variable, such as `3d` and `-3d`. */
export function variableClashes(servers: readonly string[]): Refusal[] {
  const byVariable = Map.groupBy(servers, serverVariable);
  return [...byVariable].flatMap(([variable, names]) =>
    names.length > 1 ? [{ kind: 'server-names-clash' as const, names, variable }] : [],
  );
}

/**
 * Sets the variables in a container, before its own, so that those may refer to them (`$(SIDEGATE_URL)/tickets/mcp`).
 * A variable that the container already sets to something else, such as a server's own URL, is overwritten and reported.
 */
export function withAgentVariables(
  container: Container,
  variables: readonly EnvVariable[],
): { container: Container; overwritten: string[] } {
  const existing = container.env ?? [];
  const ours = new Map(variables.map((variable) => [variable.name, variable.value]));
  const overwritten = existing.filter(({ name, value }) => ours.has(name) && ours.get(name) !== value).map(({ name }) => name);
  return {
    container: { ...container, env: [...variables, ...existing.filter(({ name }) => !ours.has(name))] },
    overwritten: [...new Set(overwritten)],
  };
}
