import { z } from 'zod';

/** What the suite wants from one run of a client. */
export interface Scenario {
  readonly name: string;
  /** The revision that the suite's server speaks. */
  readonly revision: string;
  readonly serverUrl: string;
  /** Credentials and inputs of this run; which ones, depends on the scenario. */
  readonly context: Readonly<Record<string, unknown>>;
}

const ENVIRONMENT = z.object({
  MCP_CONFORMANCE_SCENARIO: z.string().min(1),
  MCP_CONFORMANCE_PROTOCOL_VERSION: z.string().min(1),
  MCP_CONFORMANCE_CONTEXT: z.string().default('{}'),
});

/**
 * The suite names the scenario in the environment, and the server as the last argument.
 * @throws {Error} when the program was not started by the suite.
 */
export function readScenario(env: NodeJS.ProcessEnv, args: readonly string[]): Scenario {
  const given = ENVIRONMENT.parse(env);
  return {
    name: given.MCP_CONFORMANCE_SCENARIO,
    revision: given.MCP_CONFORMANCE_PROTOCOL_VERSION,
    serverUrl: z.url().parse(args.at(-1)),
    context: z.record(z.string(), z.unknown()).parse(JSON.parse(given.MCP_CONFORMANCE_CONTEXT)),
  };
}

/**
 * A string of the context.
 * @throws {Error} when the suite did not give it.
 */
export function given({ context, name }: Scenario, key: string): string {
  const value = context[key];
  if (typeof value !== 'string') throw new Error(`the suite gave no ${key} for ${name}`);
  return value;
}
