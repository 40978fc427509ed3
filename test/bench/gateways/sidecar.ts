import { join } from 'node:path';
import { startChild, untilServing } from '../machine/child.ts';
import { answersOk, freePort } from '../machine/ports.ts';
import { SERVER } from '../mesh/bundle.ts';
import type { PolicyService } from '../mesh/policy-service.ts';
import type { Gateway, GatewayContext } from './gateway.ts';

export interface SidecarOptions {
  /** Command line of `sidegate`, without its arguments. */
  readonly sidegate: readonly [string, ...string[]];
  readonly policyService: PolicyService;
  /** Where spans go; undefined for a sidecar without an OTLP endpoint. */
  readonly tracesPort: number | undefined;
}

/** A sidecar as it runs in a pod: audit records to disk and to the policy service, spans exported. */
export async function startSidecar(
  { sidegate, policyService, tracesPort }: SidecarOptions,
  { processor, directory }: GatewayContext,
): Promise<Gateway> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const startedAt = performance.now();
  const child = startChild({
    name: 'sidecar',
    command: [...sidegate, 'sidecar'],
    env: {
      ...policyService.sidecarEnv,
      SIDEGATE_LISTEN: `127.0.0.1:${port}`,
      SIDEGATE_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      SIDEGATE_STATE_DIR: join(directory, 'spool'),
      SIDEGATE_DRAIN_MS: '1000',
      // A busy machine must not turn a slow decision into a wrong answer.
      SIDEGATE_DECISION_TIMEOUT_MS: '10000',
      ...(tracesPort === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${tracesPort}` }),
    },
    processor,
  });
  await untilServing('sidecar', child, answersOk(adminPort, '/readyz'), 2);
  const readyMs = performance.now() - startedAt;
  return { pid: child.pid, port, path: `/${SERVER}/mcp`, readyMs, stop: () => child.stop() };
}
