import { startBenchProcess } from '../machine/child.ts';
import type { Gateway, GatewayContext } from './gateway.ts';

export async function noGateway({ upstreamPort }: GatewayContext): Promise<Gateway> {
  return { pid: undefined, port: upstreamPort, path: '/mcp', stop: async () => {} };
}

/** One of the bare pass-throughs in `processes/`. */
export function bareGateway(name: 'undici-dispatch' | 'http-proxy-3'): (context: GatewayContext) => Promise<Gateway> {
  return async ({ upstreamPort, processor }) => {
    const { child, port } = await startBenchProcess(name, processor, [`http://127.0.0.1:${upstreamPort}`]);
    return { pid: child.pid, port, path: '/mcp', stop: () => child.stop() };
  };
}
