import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createCertificateAuthority, issueServerCertificate } from '../../runtime/tls.ts';
import { ACCOUNTS } from '../issuer/accounts.ts';
import { AGENT_CLIENT_ID, CREDENTIAL_STORE_CLIENT_ID, SIDEGATE_RESOURCE } from '../issuer/clients.ts';
import { signIn } from '../issuer/sign-in.ts';
import { type ChildOptions, type RunningChild, startChild } from './child-process.ts';
import type { Ports } from './ports.ts';
import {
  everything,
  issuer,
  issuerUrl,
  policyService,
  policyServiceEnv,
  REPOSITORY,
  sidecar,
  sidecarEnv,
  tickets,
  ticketsUrl,
} from './processes.ts';
import { copyBundle, envFileText, type StateDirectory } from './state-directory.ts';
import { startTraceReceiver, type TraceReceiver } from './trace-receiver.ts';
import { createWorkloadIdentity } from './workload-identity.ts';

/** Everything that runs, and what the launcher needs of it. */
export interface Mesh {
  readonly policyService: RunningChild;
  readonly children: readonly RunningChild[];
  readonly traces: TraceReceiver;
  /** Each user's access token for Sidegate, which the agent gets. */
  readonly agentTokens: ReadonlyMap<string, string>;
  /** Each user's access token for the ticket server, which the agent does not get. */
  readonly ticketsTokens: ReadonlyMap<string, string>;
}

export interface MeshOptions {
  readonly ports: Ports;
  readonly state: StateDirectory;
  /** Called for each part as soon as it runs, so that a start that fails half way can be undone. */
  readonly onStop: (stop: () => Promise<void> | void) => void;
  readonly progress: (line: string) => void;
}

/** The keys of a machine that trusts nobody else: a certificate authority for this start, and the policy service's certificate. */
async function writeKeys(state: StateDirectory): Promise<void> {
  const authority = await createCertificateAuthority('Sidegate quick start', Date.now(), 30);
  const server = await issueServerCertificate(
    authority,
    { commonName: 'localhost', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] },
    Date.now(),
    30,
  );
  state.write('tls/ca.crt', authority.certificatePem);
  state.write('tls/server.crt', server.certificatePem);
  state.write('tls/server.key', server.privateKeyPem);
  const workload = await createWorkloadIdentity('quick-start', 'example-agent', 'example-agent-0');
  state.write('workload/token', workload.token);
  state.write('workload/jwks.json', workload.jwks);
}

/** Signs every user in twice: once for the agent, once for the credential the policy service keeps. */
async function signUsersIn(
  ports: Ports,
  state: StateDirectory,
  clientSecret: string,
): Promise<Pick<Mesh, 'agentTokens' | 'ticketsTokens'>> {
  const agentTokens = new Map<string, string>();
  const ticketsTokens = new Map<string, string>();
  for (const { id: user } of ACCOUNTS) {
    const who = { issuer: issuerUrl(ports), user };
    agentTokens.set(user, await signIn({ ...who, clientId: AGENT_CLIENT_ID, resource: SIDEGATE_RESOURCE }));
    ticketsTokens.set(user, await signIn({ ...who, clientId: CREDENTIAL_STORE_CLIENT_ID, clientSecret, resource: ticketsUrl(ports) }));
  }
  for (const [user, token] of ticketsTokens) state.write(`secrets/tickets/${user}`, token);
  return { agentTokens, ticketsTokens };
}

/**
 * Starts the mesh: first what stands in for the company's own systems, then the policy service, then the sidecar.
 * @throws {StartupError} with one line, when a part does not start.
 */
export async function startMesh({ ports, state, onStop, progress }: MeshOptions): Promise<Mesh> {
  const children: RunningChild[] = [];
  const start = async (options: ChildOptions): Promise<RunningChild> => {
    const child = await startChild(options);
    children.push(child);
    onStop(() => child.stop());
    progress(`${child.name} is ready (pid ${child.pid})`);
    return child;
  };

  copyBundle(
    join(REPOSITORY, 'examples/bundle'),
    state.at('bundle'),
    new Map([
      [9501, ports.tickets],
      [9502, ports.everything],
    ]),
  );
  await writeKeys(state);
  const traces = await startTraceReceiver({ host: '127.0.0.1', port: ports.traces });
  onStop(() => traces.close());

  const clientSecret = randomBytes(24).toString('base64url');
  await Promise.all([start(issuer(ports, state, clientSecret)), start(tickets(ports, state)), start(everything(ports, state))]);
  const tokens = await signUsersIn(ports, state, clientSecret);

  const policyServiceEnvFile = state.write('extauthz.env', envFileText(policyServiceEnv(ports, state)));
  const policyServiceChild = await start(policyService(ports, state, policyServiceEnvFile));
  const sidecarEnvFile = state.write('sidecar.env', envFileText(sidecarEnv(ports, state)));
  await start(sidecar(ports, state, sidecarEnvFile));

  return { policyService: policyServiceChild, children, traces, ...tokens };
}
