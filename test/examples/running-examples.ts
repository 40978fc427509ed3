import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_CLIENT_ID, CREDENTIAL_STORE_CLIENT_ID, SIDEGATE_RESOURCE } from '../../examples/issuer/clients.ts';
import { signIn } from '../../examples/issuer/sign-in.ts';
import { type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../examples/quick-start/ports.ts';
import { everything, issuer, issuerUrl, tickets, ticketsUrl } from '../../examples/quick-start/processes.ts';
import { claimStateDirectory } from '../../examples/quick-start/state-directory.ts';

const CLIENT_SECRET = 'the-secret-of-this-test';

export interface RunningExamples {
  readonly ports: Ports;
  readonly issuer: string;
  readonly ticketsUrl: string;
  readonly everythingUrl: string;
  /** A user's token for Sidegate. */
  agentToken(user: string): Promise<string>;
  /** A user's token for the ticket server. */
  ticketsToken(user: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts the issuer and the two MCP servers as the quick start does, on free ports. */
export async function startExamples(): Promise<RunningExamples> {
  const ports = await choosePorts('auto');
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-examples-'));
  const state = claimStateDirectory(directory, issuerUrl(ports));
  const children: RunningChild[] = [];
  for (const options of [issuer(ports, state, CLIENT_SECRET), tickets(ports, state), everything(ports, state)])
    children.push(await startChild(options));
  return {
    ports,
    issuer: issuerUrl(ports),
    ticketsUrl: ticketsUrl(ports),
    everythingUrl: `http://127.0.0.1:${ports.everything}/mcp`,
    agentToken: (user) => signIn({ issuer: issuerUrl(ports), clientId: AGENT_CLIENT_ID, resource: SIDEGATE_RESOURCE, user }),
    ticketsToken: (user) =>
      signIn({
        issuer: issuerUrl(ports),
        clientId: CREDENTIAL_STORE_CLIENT_ID,
        clientSecret: CLIENT_SECRET,
        resource: ticketsUrl(ports),
        user,
      }),
    async stop() {
      for (const child of children.reverse()) await child.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
