import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gate } from '../../support/gate.ts';

/** Puts servers under the sidecar while it runs. */
export interface Registrar {
  /** Takes a POST with a server's URL as its body; answers with what `register` gives. */
  readonly url: string;
  /** The address under which the sidecar has the server. Settles when calls go through. */
  register(serverUrl: string): Promise<string>;
  close(): Promise<void>;
}

const REGISTERED_WITHIN_MS = 15_000;
const UNKNOWN_SERVER = 404;

/** @param port where the sidecar is reached with a user's token */
export async function startRegistrar(gate: Gate, port: number): Promise<Registrar> {
  let count = 0;
  const register = async (serverUrl: string): Promise<string> => {
    count += 1;
    const name = `suite-${count}`;
    gate.writeBundleFile(
      `servers/${name}.yaml`,
      `name: ${name}\nurl: ${new URL(serverUrl).href}\ntransport: streamable-http\ncredential: {strategy: none}\n`,
    );
    const url = `http://localhost:${port}/${name}/mcp`;
    const deadline = performance.now() + REGISTERED_WITHIN_MS;
    while (!(await isKnown(url))) {
      if (performance.now() > deadline) throw new Error(`the sidecar did not take ${serverUrl} up in time`);
      await sleep(50);
    }
    return url;
  };

  const server = createServer(async (request, response) => {
    try {
      response.end(await register(await text(request)));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    register,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks with a message that the sidecar refuses by itself: the server must not see a call that the suite did not make. */
async function isKnown(url: string): Promise<boolean> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'is it there?' });
  await response.body?.cancel();
  return response.status !== UNKNOWN_SERVER;
}
