import { randomBytes } from 'node:crypto';
import type { Environment } from '../runtime/env.ts';
import type { Logger } from '../runtime/logger.ts';
import { authorizeAgain } from './authorize-again.ts';
import type { Decider } from './authz/decide.ts';
import { BridgeLeg } from './bridge/bridge-leg.ts';
import type { Clock } from './clock.ts';
import type { SidecarConfig } from './config.ts';
import { HttpSseServers } from './http-sse/http-sse-servers.ts';
import type { Route, Routes } from './routes.ts';
import type { ServerLegs } from './server-leg.ts';
import { SessionSeal } from './session-seal.ts';
import { AllowedCommands } from './stdio/allowed-commands.ts';
import { StdioServers } from './stdio/stdio-servers.ts';
import type { Pools } from './upstream/pools.ts';

export interface LegsOptions {
  readonly config: SidecarConfig;
  readonly routes: Routes;
  readonly decider: Decider;
  readonly pools: Pools;
  readonly env: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onStop: (stop: () => Promise<void> | void) => void;
}

/** An id that cannot be guessed. */
const newSecretId = () => randomBytes(32).toString('base64url');

/** Starts the legs to servers that do not serve Streamable HTTP in the agent's era themselves, and says which server has which. */
export function startLegs({ config, routes, decider, pools, env, clock, logger, onStop }: LegsOptions): ServerLegs {
  const routeOf = (name: string) => routes.named(name);
  const kept = { idleMs: config.stdioIdleMs, answerTimeoutMs: config.upstreamTimeoutMs, routeOf, clock, logger };
  const stdio = new StdioServers({
    ...kept,
    allowed: new AllowedCommands(config.stdioCommands),
    maxProcesses: config.stdioMaxProcesses,
    maxLineBytes: config.stdioMaxLineBytes,
    env,
    newSessionId: newSecretId,
  });
  onStop(() => stdio.close());
  const httpSse = new HttpSseServers({
    ...kept,
    dispatch: (request, answer) => pools.dispatch(request, answer),
    maxMessageBytes: config.stdioMaxLineBytes,
    newSessionId: newSecretId,
  });
  onStop(() => httpSse.close());
  const transports = (route: Route) => (route.stdio !== undefined ? stdio : route.usesHttpSse === true ? httpSse : undefined);
  const bridge = new BridgeLeg({
    ...kept,
    send: (permit, { method, headers, body = new Uint8Array() }, answer) => {
      const leg = transports(permit.route);
      if (leg === undefined) pools.dispatch({ url: permit.route.url, method, headers, body }, answer);
      else if (method === 'POST') leg.post(permit, headers, body, answer);
      else leg.stream(permit, method, headers, answer);
    },
    authorize: authorizeAgain(decider),
    requestStates: new SessionSeal(randomBytes(32)),
    maxRequestBytes: config.maxBodyBytes,
    maxMessageBytes: config.stdioMaxLineBytes,
    newId: newSecretId,
  });
  onStop(() => bridge.close());
  routes.onReplace(() => {
    stdio.reconcile();
    httpSse.reconcile();
    bridge.reconcile();
  });
  return (route) => (route.bridgeTo === undefined ? transports(route) : bridge);
}
