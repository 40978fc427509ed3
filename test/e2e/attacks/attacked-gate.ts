import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';
import { type Gate, startGate } from '../../support/gate.ts';
import { type Answer, MCP_HEADERS, type RawRequest, rpcError, send } from '../../support/mcp-request.ts';
import { echoResult, startUpstream, type Upstream } from '../../support/upstream.ts';

const POLICIES = `
@id("allow-safe")
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/safe");
@id("allow-read")
permit (principal, action == Action::"ReadResource", resource) when { resource.uri like "file:///public/*" };
@id("bob-all")
permit (principal == User::"bob", action == Action::"CallUndeclaredTool", resource);
@id("no-danger")
@reason("danger is never allowed")
forbid (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/danger");
`;

/** Started before the tests of the file that imports this. */
export let gate: Gate;
export let upstream: Upstream;
/** A token of the user alice. */
export let alice: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url, captured: `${upstream.url}/captured`, tokens: upstream.url, dead: 'http://127.0.0.1:9/mcp' },
    policies: `${POLICIES}
      permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"tokens");
      permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"dead");
      permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"captured/safe");`,
    files: {
      'servers/tokens.yaml': `name: tokens\nurl: ${upstream.url}\ntransport: streamable-http\ncredential: {strategy: file, path: "tokens/{user}", header: authorization, format: "Bearer {secret}"}\n`,
    },
    secrets: { 'tokens/alice': 'alices-upstream-secret\n' },
    sidecarEnv: { SIDEGATE_MAX_BODY_BYTES: '65536', SIDEGATE_RECEIVE_TIMEOUT_MS: '5000' },
  });
  alice = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.behave(echoResult);
  upstream.arrived.length = 0;
  upstream.abandoned.length = 0;
});

/** Alice’s POST to a server, with whatever an attacker changes about it. */
export function post(body: string | Uint8Array, options: RawRequest & { token?: string; server?: string } = {}): Promise<Answer> {
  const { token = alice, server = 'files', headers = {} } = options;
  return send(gate.port, {
    path: `/${server}/mcp`,
    body,
    ...options,
    headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...headers },
  });
}

/** What the agent reads, for each reason. */
const REASONS = {
  unauthenticated: /user token/,
  not_permitted: /^no policy permits/,
  no_credential: /no usable credential/,
  forbidden: /never allowed/,
};

export function assertRefused(answer: Answer, code: number, reason?: keyof typeof REASONS): void {
  assert.equal(rpcError(answer)?.code, code, answer.text);
  if (reason !== undefined) assert.match(rpcError(answer)?.data?.sidegate.reason ?? '', REASONS[reason]);
  assert.equal(upstream.arrived.length, 0, 'nothing may reach the server');
}
