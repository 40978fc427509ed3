import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { localhostHostValidation, localhostOriginValidation } from '@modelcontextprotocol/node';
import type { SdkLine } from '../sdk-line.ts';
import type { Endpoint } from './endpoint.ts';
import { openV1Endpoint } from './v1-endpoint.ts';
import { openV2Endpoint } from './v2-endpoint.ts';

export interface ConformanceServer {
  /** The MCP endpoint. */
  readonly url: string;
  close(): Promise<void>;
}

const ENDPOINTS: Readonly<Record<SdkLine, () => Endpoint>> = { v1: openV1Endpoint, v2: openV2Endpoint };

/** Serves what the suite's server scenarios ask for, on a free loopback port. */
export async function startConformanceServer(line: SdkLine): Promise<ConformanceServer> {
  const endpoint = ENDPOINTS[line]();
  const isLoopbackHost = localhostHostValidation();
  const isLoopbackOrigin = localhostOriginValidation();
  const server = createServer((request, response) => {
    // Both answer 403 themselves: the suite plays a web page that reaches the server by DNS rebinding.
    if (!isLoopbackHost(request, response) || !isLoopbackOrigin(request, response)) return;
    if (request.url === '/mcp') endpoint.handle(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      await endpoint.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
