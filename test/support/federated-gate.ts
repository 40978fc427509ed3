import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, type GateOptions, startGate } from './gate.ts';
import { type Answer, MCP_HEADERS, type RawRequest, send } from './mcp-request.ts';
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts';

export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

export interface RpcMessage {
  readonly jsonrpc?: string;
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results as deep as they like
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A gate before scripted servers, and the requests that its tests make of it. */
export interface FederatedGate {
  readonly gate: Gate;
  readonly servers: Readonly<Record<string, ScriptedServer>>;
  readonly alice: string;
  /** A POST in the legacy era. */
  post(message: unknown, options?: PostOptions): Promise<Answer>;
  /** A POST in the modern era, with the standard headers. */
  modern(method: string, params?: Record<string, unknown>, options?: PostOptions): Promise<Answer>;
  /** Opens a session; returns its id. */
  initialize(options?: PostOptions): Promise<string>;
  stop(): Promise<void>;
}

export interface PostOptions {
  readonly path?: string;
  readonly token?: string;
  readonly session?: string;
  readonly headers?: RawRequest['headers'];
}

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 'i',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: { roots: { listChanged: true } }, clientInfo: { name: 'agent', version: '1' } },
};

export function rpc({ text }: Answer): RpcMessage {
  return JSON.parse(text) as RpcMessage;
}

export async function until<T>(find: () => T | undefined | false): Promise<T> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    await sleep(10);
  }
  throw new Error('not in time');
}

/** The standard header for a modern message. */
function nameHeader(params: Record<string, unknown>): Record<string, string> {
  const name = params['name'] ?? params['uri'] ?? params['taskId'];
  if (typeof name !== 'string') return {};
  const isPlain = /^[!-~]+$/.test(name);
  return { 'mcp-name': isPlain ? name : `=?base64?${Buffer.from(name).toString('base64')}?=` };
}

export async function startFederatedGate(names: readonly string[], options: Omit<GateOptions, 'servers'>): Promise<FederatedGate> {
  const servers: Record<string, ScriptedServer> = {};
  for (const name of names) servers[name] = await startScriptedServer(name);
  const urls = Object.fromEntries(Object.entries(servers).map(([name, { url }]) => [name, url]));
  const gate = await startGate({
    ...options,
    servers: urls,
    sidecarEnv: { SIDEGATE_DECISION_TIMEOUT_MS: '20000', SIDEGATE_FEDERATION_TIMEOUT_MS: '20000', ...options.sidecarEnv },
  });
  const alice = await gate.token('alice');
  const post = (message: unknown, { path = '/mcp', token = alice, session, headers = {} }: PostOptions = {}) =>
    send(gate.port, {
      path,
      body: typeof message === 'string' ? message : JSON.stringify(message),
      headers: {
        ...MCP_HEADERS,
        authorization: `Bearer ${token}`,
        ...(session !== undefined && { 'mcp-session-id': session }),
        ...headers,
      },
    });
  return {
    gate,
    servers,
    alice,
    post,
    modern(method, params = {}, { headers = {}, ...rest } = {}) {
      const message = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: MODERN_META } };
      const standard = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...nameHeader(params) };
      return post(message, { ...rest, headers: { ...standard, ...headers } });
    },
    async initialize(open = {}) {
      const answer = await post(INITIALIZE, open);
      const session = answer.headers['mcp-session-id'];
      if (typeof session !== 'string') throw new Error(`no session: ${answer.status} ${answer.text}`);
      return session;
    },
    async stop() {
      await gate.stop();
      await Promise.all(Object.values(servers).map((server) => server.close()));
    },
  };
}
