import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, type ChildOptions } from './child-process.ts';
import type { Ports } from './ports.ts';
import type { StateDirectory } from './state-directory.ts';
import { WORKLOAD_ISSUER } from './workload-identity.ts';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
export const SIDEGATE = join(REPOSITORY, 'bin/sidegate.ts');
const EVERYTHING = join(REPOSITORY, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const EXAMPLES = join(REPOSITORY, 'examples');

const loopback = (port: number) => `127.0.0.1:${port}`;

export function issuerUrl(ports: Ports): string {
  return `http://${loopback(ports.issuer)}`;
}

export function ticketsUrl(ports: Ports): string {
  return `http://${loopback(ports.tickets)}/mcp`;
}

/** Where an agent reaches a server: the only thing about Sidegate that it is ever told. */
export function agentUrls(ports: Ports): Readonly<Record<'tickets' | 'everything', string>> {
  const base = `http://localhost:${ports.agent}`;
  return { tickets: `${base}/tickets/mcp`, everything: `${base}/everything/mcp` };
}

/** What every process gets, and nothing else of the launcher's environment. */
function baseEnv(): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

function logFile(state: StateDirectory, name: string): string {
  return state.at('logs', `${name}.log`);
}

export function issuer(ports: Ports, state: StateDirectory, credentialStoreSecret: string): ChildOptions {
  return {
    name: 'issuer',
    args: [join(EXAMPLES, 'issuer/main.ts')],
    env: {
      ...baseEnv(),
      ISSUER_LISTEN: loopback(ports.issuer),
      ISSUER_TICKETS_RESOURCE: ticketsUrl(ports),
      ISSUER_CREDENTIAL_STORE_SECRET: credentialStoreSecret,
    },
    logFile: logFile(state, 'issuer'),
    ready: answers(`${issuerUrl(ports)}/.well-known/openid-configuration`, 200),
  };
}

export function tickets(ports: Ports, state: StateDirectory): ChildOptions {
  return {
    name: 'ticket server',
    args: [join(EXAMPLES, 'tickets-server/main.ts')],
    env: { ...baseEnv(), TICKETS_LISTEN: loopback(ports.tickets), TICKETS_ISSUER: issuerUrl(ports) },
    logFile: logFile(state, 'tickets'),
    ready: answers(ticketsUrl(ports), 401),
  };
}

/** The MCP project's reference server, as published. It speaks the `initialize` revisions, with sessions. */
export function everything(ports: Ports, state: StateDirectory): ChildOptions {
  return {
    name: 'reference server',
    args: ['--import', join(EXAMPLES, 'quick-start/loopback-only.ts'), EVERYTHING, 'streamableHttp'],
    env: { ...baseEnv(), PORT: String(ports.everything) },
    logFile: logFile(state, 'everything'),
    // Without a session it answers 400, which is an answer.
    ready: answers(`http://${loopback(ports.everything)}/mcp`, 400),
  };
}

export function policyServiceEnv(ports: Ports, state: StateDirectory): Record<string, string> {
  return {
    SIDEGATE_GRPC_LISTEN: loopback(ports.policyGrpc),
    SIDEGATE_HTTP_LISTEN: loopback(ports.policyHttp),
    SIDEGATE_TLS_CERT_FILE: state.at('tls/server.crt'),
    SIDEGATE_TLS_KEY_FILE: state.at('tls/server.key'),
    SIDEGATE_BUNDLE_DIR: state.at('bundle'),
    SIDEGATE_SECRETS_DIR: state.at('secrets'),
    SIDEGATE_DATABASE_FILE: state.at('sidegate.db'),
    SIDEGATE_OIDC_ISSUER: issuerUrl(ports),
    SIDEGATE_WORKLOAD_ISSUER: WORKLOAD_ISSUER,
    SIDEGATE_WORKLOAD_JWKS_FILE: state.at('workload/jwks.json'),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${loopback(ports.traces)}`,
  };
}

export function policyService(ports: Ports, state: StateDirectory, envFile: string): ChildOptions {
  return {
    name: 'policy service',
    args: [`--env-file=${envFile}`, SIDEGATE, 'extauthz', 'serve'],
    env: baseEnv(),
    logFile: logFile(state, 'extauthz'),
    ready: answers(`http://${loopback(ports.policyHttp)}/readyz`, 200),
  };
}

export function sidecarEnv(ports: Ports, state: StateDirectory): Record<string, string> {
  return {
    SIDEGATE_LISTEN: loopback(ports.agent),
    SIDEGATE_ADMIN_LISTEN: loopback(ports.sidecarAdmin),
    SIDEGATE_POLICY_ADDRESS: `localhost:${ports.policyGrpc}`,
    SIDEGATE_POLICY_CA_FILE: state.at('tls/ca.crt'),
    SIDEGATE_WORKLOAD_TOKEN_FILE: state.at('workload/token'),
    SIDEGATE_STATE_DIR: state.at('spool'),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${loopback(ports.traces)}`,
  };
}

export function sidecar(ports: Ports, state: StateDirectory, envFile: string): ChildOptions {
  return {
    name: 'sidecar',
    args: [`--env-file=${envFile}`, SIDEGATE, 'sidecar'],
    env: baseEnv(),
    logFile: logFile(state, 'sidecar'),
    ready: answers(`http://${loopback(ports.sidecarAdmin)}/readyz`, 200),
  };
}
