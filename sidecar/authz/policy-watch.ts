import type { RouteMessage, ViewMessage, WatchEvent } from '../../extauthz/api/protos.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Clock } from '../clock.ts';
import type { View, Views } from '../endpoints.ts';
import type { Route, Routes } from '../routes.ts';
import type { DecisionCache } from './decision-cache.ts';
import type { Lease } from './lease.ts';

export interface PolicyWatchOptions {
  readonly lease: Lease;
  readonly cache: DecisionCache;
  readonly routes: Routes;
  readonly views: Views;
  /** Called when policy has changed, after the first revision. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Applies what the policy service says on `Watch`, and forgets cached ALLOWs when it has been silent for longer than the lease. */
export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  #leaseEnd: NodeJS.Timeout | undefined;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
  }

  take({ revision, leaseMs, routes, revokedUsers, views }: WatchEvent): void {
    const { lease, cache, clock, logger } = this.#options;
    const isFirst = lease.revision === '';
    const changed = lease.revision !== revision;
    lease.renew(revision, leaseMs, clock.monotonicMs());
    if (changed) {
      cache.dropOutdated();
      logger.info({ revision }, 'policy revision');
    }
    cache.revoke(revokedUsers);
    if (routes !== null) {
      this.#options.routes.replace(routes.routes.flatMap(routeOf));
      this.#options.views.replace(views.map(viewOf));
    }
    if (changed && !isFirst) this.#options.onChange();
    clearTimeout(this.#leaseEnd);
    this.#leaseEnd = setTimeout(() => {
      cache.dropAllows();
      logger.warn('the lease has run out; nothing new is allowed until the policy service is back');
    }, leaseMs);
  }

  close(): void {
    clearTimeout(this.#leaseEnd);
  }
}

/** None for a kind of server that this sidecar does not know. */
function routeOf(message: RouteMessage): Route[] {
  const { bridgeTo } = message;
  if (bridgeTo === '') return plainRouteOf(message);
  if (bridgeTo !== 'legacy' && bridgeTo !== 'modern') return [];
  return plainRouteOf(message).map((route) => ({ ...route, bridgeTo }));
}

function plainRouteOf({ name, url, transport, stdio, instructions, tools, agentCredential }: RouteMessage): Route[] {
  const rule: Pick<Route, 'instructions'> = instructions === 'pass' || instructions === 'drop' ? { instructions } : {};
  const common = { name, declaredTools: tools, ...rule };
  if (transport === 'stdio') return stdio === null ? [] : [{ ...common, url: new URL(`stdio:${name}`), stdio }];
  if (!URL.canParse(url)) return [];
  if (transport === 'http+sse') return [{ ...common, url: new URL(url), usesHttpSse: true }];
  if (transport !== 'streamable-http') return [];
  return [agentCredential ? { ...common, url: new URL(url), agentCredential } : { ...common, url: new URL(url) }];
}

function viewOf({ name, allowTools }: ViewMessage): View {
  const tools = new Map<string, Set<string>>();
  for (const written of allowTools) {
    // As the policy service reads it: server names hold no dot.
    const dot = written.indexOf('.');
    const server = written.slice(0, dot);
    tools.set(server, (tools.get(server) ?? new Set()).add(written.slice(dot + 1)));
  }
  return { name, tools };
}
