import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../../examples/quick-start/ports.ts';
import { everything, REPOSITORY, ticketsUrl } from '../../../examples/quick-start/processes.ts';
import { claimStateDirectory } from '../../../examples/quick-start/state-directory.ts';
import { createTicketsServer } from '../../../examples/tickets-server/http.ts';
import { createTokenVerifier } from '../../../examples/tickets-server/token-verifier.ts';
import { startTestIssuer, type TestIssuer, userClaims } from '../../extauthz/support/test-issuer.ts';
import { type Gate, startGate } from '../../support/gate.ts';
import { startModernServer } from '../../support/modern-server.ts';
import { POLICIES } from './policies.ts';

/**
 * - `everything`: the reference server, `initialize` revisions with sessions
 * - `tickets`: the example server, every revision, without sessions; wants a credential
 * - `modern`, `modern-streaming`: the modern test server, answering with JSON or with event streams
 */
export type ServerName = 'everything' | 'tickets' | 'modern' | 'modern-streaming';

/** How a client reaches a server. */
export interface Access {
  readonly url: string;
  readonly token: string | undefined;
}

/** The servers, and a sidecar before all of them. */
export interface Servers {
  readonly gate: Gate;
  direct(server: ServerName): Access;
  governed(server: ServerName, user: string): Promise<Access>;
}

/** @param onStop called for each part as soon as it runs: a start that fails half way must not keep the process up. */
export async function startServers(onStop: (stop: () => unknown) => void): Promise<Servers> {
  const ports = await choosePorts('auto');
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-sdk-clients-'));
  onStop(() => rmSync(directory, { recursive: true, force: true }));
  const modern = await startModernServer();
  onStop(() => modern.close());
  const issuer = await startTestIssuer();
  onStop(() => issuer.close());
  const ticketsToken = await issuer.sign(userClaims(issuer, { aud: ticketsUrl(ports), client_id: 'sdk-clients' }));
  onStop(await startTickets(issuer, ports));
  const reference = startChild(everything(ports, claimStateDirectory(directory, issuer.url)));
  onStop(async () => (await reference).stop());
  const gate = await startGate({
    servers: { modern: modern.url, 'modern-streaming': modern.streamingUrl },
    policies: POLICIES,
    files: declaredServers(ports),
    secrets: { 'tickets/alice': ticketsToken },
  });
  onStop(() => gate.stop());
  await reference;
  const direct: Record<ServerName, Access> = {
    everything: { url: everythingUrl(ports), token: undefined },
    tickets: { url: ticketsUrl(ports), token: ticketsToken },
    modern: { url: modern.url, token: undefined },
    'modern-streaming': { url: modern.streamingUrl, token: undefined },
  };
  return {
    gate,
    direct: (server) => direct[server],
    governed: async (server, user) => ({ url: gate.url(server), token: await gate.token(user) }),
  };
}

function everythingUrl(ports: Ports): string {
  return `http://127.0.0.1:${ports.everything}/mcp`;
}

async function startTickets({ url, jwksUri }: TestIssuer, ports: Ports): Promise<() => void> {
  const audience = ticketsUrl(ports);
  const tickets = createTicketsServer(createTokenVerifier({ issuer: url, jwksUri, audience }), new URL(audience));
  await new Promise<void>((resolve) => tickets.listen(ports.tickets, '127.0.0.1', resolve));
  return () => {
    tickets.close();
    tickets.closeAllConnections();
  };
}

/** Bundle files of the two servers whose tools are declared, as the quick start has them. */
function declaredServers(ports: Ports): Record<string, string> {
  const credential = '{strategy: file, path: "tickets/{user}", header: authorization, format: "Bearer {secret}"}';
  const file = (name: string, url: string, how: string) =>
    `name: ${name}\nurl: ${url}\ntransport: streamable-http\ncredential: ${how}\ntools: ${name}.tools.json\n`;
  const catalogue = (name: string) => readFileSync(join(REPOSITORY, `examples/bundle/servers/${name}.tools.json`), 'utf8');
  return {
    'servers/everything.yaml': file('everything', everythingUrl(ports), '{strategy: none}'),
    'servers/everything.tools.json': catalogue('everything'),
    'servers/tickets.yaml': file('tickets', ticketsUrl(ports), credential),
    'servers/tickets.tools.json': catalogue('tickets'),
  };
}
