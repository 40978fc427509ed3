import { VERSION } from '../../runtime/version.ts';
import type { Endpoint } from '../endpoints.ts';
import { isObject } from './values-at.ts';

/** Who the agent talks to at an endpoint of all servers. */
export const SERVER_INFO = { name: 'sidegate', version: VERSION };

/** Capabilities that the endpoint can pass on. Others (experimental ones, extensions) belong to one server and are left out. */
const PASSED_ON = ['tools', 'prompts', 'resources', 'completions', 'logging'] as const;
const WITH_LIST = ['tools', 'prompts', 'resources'] as const;
/** What a view shows: its tools, and the logging that goes with calls. */
const OF_A_VIEW: readonly string[] = ['tools', 'logging'];

export type Capabilities = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * What some server at least can do. Lists always announce changes, since policy may change them.
 * @param isComplete whether every server said what it can do; one that is slow may turn out to have any list
 */
export function unionOf(servers: readonly unknown[], endpoint: Endpoint, isComplete: boolean): Capabilities {
  const union: Record<string, Record<string, unknown>> = {};
  for (const name of PASSED_ON) {
    if (endpoint.view !== undefined && !OF_A_VIEW.includes(name)) continue;
    const offered = servers.flatMap((capabilities) => (isObject(capabilities) && isObject(capabilities[name]) ? [capabilities[name]] : []));
    const hasList = (WITH_LIST as readonly string[]).includes(name);
    if (offered.length === 0 && (isComplete || !hasList) && name !== 'tools') continue;
    union[name] = {
      ...(hasList && { listChanged: true }),
      ...(name === 'resources' && offered.some(({ subscribe }) => subscribe === true) && { subscribe: true }),
    };
  }
  return union;
}
