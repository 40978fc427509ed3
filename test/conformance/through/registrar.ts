import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Gate } from '../../support/gate.ts';
import { type LINK_ANSWER, LINK_REQUEST } from '../client/link.ts';
import type { TokenShim } from './token-shim.ts';

/**
 * How a server is reached through the sidecar.
 *
 * - `renamed`: under a path of the sidecar's, as agents are set up
 * - `captured`: under its own URL, with the sidecar as the client's HTTP proxy, and with a credential of the client's own if its server wants one
 */
export type WayThrough = 'renamed' | 'captured';

/** Puts servers under the sidecar while it runs. */
export interface Registrar {
  /** Where a client asks for its way through. */
  clientUrl(way: WayThrough): string;
  /** The URL under which the sidecar has the server when it is `renamed`. Settles when calls go through in this way. */
  register(serverUrl: string, way: WayThrough): Promise<string>;
  /** Scenarios whose client asked for its way since the last time this was asked, and then did not take it. */
  takeBypasses(): string[];
  close(): Promise<void>;
}

const REGISTERED_WITHIN_MS = 15_000;
const STRATEGIES: Readonly<Record<WayThrough, string>> = { renamed: 'none', captured: 'agent' };
/** JSON-RPC's code in the sidecar's answer when it knows no such server. */
const METHOD_NOT_FOUND = -32601;
const REFUSAL = z.object({ error: z.object({ code: z.number() }) });

/**
 * @param shim where the sidecar is reached with a user's token
 * @param isOnlyDirect which scenarios' clients are sent away
 */
export async function startRegistrar(
  gate: Gate,
  shim: TokenShim,
  isOnlyDirect: (scenario: string, way: WayThrough) => boolean,
): Promise<Registrar> {
  // A URL that is registered twice could not be captured: it would not say which server is meant.
  const servers = new Map<string, { readonly name: string; way: WayThrough | undefined }>();
  const ways: { readonly scenario: string; readonly target: string; readonly before: number }[] = [];
  const register = async (serverUrl: string, way: WayThrough): Promise<string> => {
    const { href } = new URL(serverUrl);
    const entry = servers.get(href) ?? { name: `suite-${servers.size + 1}`, way: undefined };
    servers.set(href, entry);
    const { name } = entry;
    // The suite may come back to a port that it had before.
    if (entry.way !== way) {
      entry.way = way;
      const file = `name: ${name}\nurl: ${href}\ntransport: streamable-http\ncredential: {strategy: ${STRATEGIES[way]}}\n`;
      gate.writeBundleFile(`servers/${name}.yaml`, file);
    }
    const url = `http://localhost:${shim.port}/${name}/mcp`;
    const deadline = performance.now() + REGISTERED_WITHIN_MS;
    while ((await knownWay(url)) !== way) {
      if (performance.now() > deadline) throw new Error(`the sidecar did not take ${href} up in time`);
      await sleep(100);
    }
    return url;
  };
  const linkTo = async (way: WayThrough, request: string): Promise<z.infer<typeof LINK_ANSWER>> => {
    const { scenario, serverUrl } = LINK_REQUEST.parse(JSON.parse(request));
    if (isOnlyDirect(scenario, way)) throw new Error(`${scenario} is not run through the sidecar`);
    const url = await register(serverUrl, way);
    const target = way === 'captured' ? new URL(serverUrl).href : new URL(url).pathname;
    ways.push({ scenario, target, before: shim.count(target) });
    return way === 'captured' ? { proxy: `http://localhost:${shim.port}` } : { url };
  };

  const server = createServer(async (request, response) => {
    try {
      response.end(JSON.stringify(await linkTo(request.url === '/captured' ? 'captured' : 'renamed', await text(request))));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    clientUrl: (way) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${way}`,
    register,
    takeBypasses: () => ways.splice(0).flatMap(({ scenario, target, before }) => (shim.count(target) === before ? [scenario] : [])),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * In which way the sidecar has the server now. Asks for a session that there is not: the sidecar refuses that by itself, and the server must not see
 * a call that the suite did not make.
 */
async function knownWay(url: string): Promise<WayThrough | undefined> {
  const response = await fetch(url, { headers: { 'mcp-session-id': 'none' } });
  const { error } = REFUSAL.parse(await response.json());
  if (response.status === 403) return 'captured';
  return response.status === 404 && error.code !== METHOD_NOT_FOUND ? 'renamed' : undefined;
}
