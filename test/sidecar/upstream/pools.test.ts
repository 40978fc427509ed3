import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { Pools } from '../../../sidecar/upstream/pools.ts';

for (const [idle, hint, connections] of [
  ['may close it any moment', 'timeout=3', 2],
  ['keeps it for long', 'timeout=60', 1],
] as const) {
  it(`a connection is ${connections === 1 ? '' : 'not '}used again when its server ${idle}`, async () => {
    const ports = new Set<number | undefined>();
    const server = createServer((request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(200, { connection: 'keep-alive', 'keep-alive': hint }).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const pools = new Pools(20_000);
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
    const post = () =>
      new Promise<void>((resolve, reject) => {
        const body = Buffer.from('{}');
        pools.dispatch(
          { url, method: 'POST', headers: { 'content-type': 'application/json' }, body },
          {
            onRequestStart: () => {},
            onResponseStart: () => {},
            onResponseData: () => {},
            onResponseEnd: () => resolve(),
            onResponseError: (_controller, error) => reject(error),
          },
        );
      });
    try {
      await post();
      // The connection is given back, or closed, after the answer.
      await new Promise((resolve) => setImmediate(resolve));
      await post();
      assert.equal(ports.size, connections);
    } finally {
      await pools.close();
      server.close();
      server.closeAllConnections();
    }
  });
}
