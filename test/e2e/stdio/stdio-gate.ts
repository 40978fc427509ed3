import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../../support/gate.ts';
import { type Answer, MCP_HEADERS, send } from '../../support/mcp-request.ts';
import { POLICIES } from '../sdk/policies.ts';
import { STDIO_COMMANDS, STDIO_FILES } from './stdio-bundle.ts';

/** Started before the tests of the file that imports this. */
export let gate: Gate;
export const tokens = new Map<string, string>();

before(async () => {
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: STDIO_FILES,
    sidecarEnv: {
      SIDEGATE_STDIO_COMMANDS: STDIO_COMMANDS,
      SIDEGATE_STDIO_MAX_PROCESSES: '6',
      SIDEGATE_STDIO_MAX_LINE_BYTES: '65536',
      SIDEGATE_STDIO_IDLE_MS: '6000',
      SIDEGATE_UPSTREAM_TIMEOUT_MS: '10000',
      TZ: 'UTC',
    },
  });
  for (const user of ['alice', 'bob', 'carol']) tokens.set(user, await gate.token(user));
});

after(() => gate.stop());

interface Post {
  readonly user?: string;
  readonly session?: string;
  readonly modern?: boolean;
  readonly method?: string;
}

/** A POST, in the era asked for, with nothing that an SDK would add. */
export function post(
  server: string,
  message: Record<string, unknown>,
  { user = 'alice', session, modern = false }: Post = {},
): Promise<Answer> {
  const { name } = (message['params'] ?? {}) as { name?: string };
  const body = modern
    ? {
        ...message,
        params: {
          ...(message['params'] as object),
          _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} },
        },
      }
    : message;
  return send(gate.port, {
    path: `/${server}/mcp`,
    headers: {
      ...MCP_HEADERS,
      authorization: `Bearer ${tokens.get(user)}`,
      ...(session !== undefined && { 'mcp-session-id': session }),
      ...(modern && {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': String(message['method']),
        ...(name !== undefined && { 'mcp-name': name }),
      }),
    },
    body: JSON.stringify(body),
  });
}

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

export async function open(server: string, user = 'alice'): Promise<string> {
  const answer = await post(server, INITIALIZE, { user });
  assert.equal(answer.status, 200, answer.text);
  const session = answer.headers['mcp-session-id'];
  assert.equal(typeof session, 'string', answer.text);
  return session as string;
}

export function tool(name: string, args: Record<string, unknown> = {}, id: number | string = 1): Record<string, unknown> {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

/** The text of a tool's answer, JSON or event stream. */
export function textOf({ text }: Answer): string {
  const json = text.startsWith('{') ? text : (/^data: (.*"result".*)$/m.exec(text)?.[1] ?? '{}');
  return JSON.parse(json).result?.content?.[0]?.text ?? `no result: ${text}`;
}

export async function end(server: string, session: string, user = 'alice'): Promise<number> {
  const headers = { authorization: `Bearer ${tokens.get(user)}`, 'mcp-session-id': session };
  return (await send(gate.port, { method: 'DELETE', path: `/${server}/mcp`, headers })).status;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function untilGone(pid: number, withinMs = 20_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; isAlive(pid); await sleep(20)) assert.ok(Date.now() < deadline, `process ${pid} still runs`);
}

export const sidecarLog = () => readFileSync(join(dirname(gate.bundleDir), 'sidecar.log'), 'utf8');
