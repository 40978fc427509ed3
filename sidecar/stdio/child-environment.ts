import { type EnvironmentVariable, variableFault } from '../../extauthz/api/stdio-command.ts';
import type { Environment } from '../../runtime/env.ts';

/** What every program may need to run at all. The sidecar's own settings are none of a server's business. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ'] as const;

/** The whole environment of a server's process. A variable that a bundle must not set is left out, whatever the policy service says. */
export function childEnvironment(own: Environment, variables: readonly EnvironmentVariable[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) if (own[name] !== undefined) env[name] = own[name];
  for (const { name, value } of variables) if (variableFault(name) === undefined && !value.includes('\0')) env[name] = value;
  return env;
}
