import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { createLogger } from '../../../runtime/logger.ts';
import type { Permit } from '../../../sidecar/permit.ts';
import { type AnswerHandler, AnswerWithheld } from '../../../sidecar/relay.ts';
import type { Route } from '../../../sidecar/routes.ts';
import { AllowedCommands } from '../../../sidecar/stdio/allowed-commands.ts';
import { StdioServers } from '../../../sidecar/stdio/stdio-servers.ts';
import { RAW_SERVER } from '../../e2e/stdio/stdio-bundle.ts';

const routes = ['raw', 'other'].map(
  (name): Route => ({ name, url: new URL(`stdio:${name}`), stdio: { command: process.execPath, args: [RAW_SERVER], env: [] } }),
);
let sessions = 0;
const servers = new StdioServers({
  allowed: new AllowedCommands(process.execPath),
  routeOf: (name) => routes.find((route) => route.name === name),
  maxProcesses: 4,
  maxLineBytes: 65_536,
  idleMs: 60_000,
  answerTimeoutMs: 10_000,
  env: {},
  clock: { monotonicMs: () => performance.now(), unixMs: () => Date.now() },
  newSessionId: () => `session-${++sessions}`,
  logger: createLogger('test', 'silent'),
});

/** What only the decision makes in the product. */
function permit(server: string, user: string | undefined): Permit {
  const principal = user === undefined ? undefined : { user: { id: user } };
  return { route: routes.find(({ name }) => name === server), decision: { principal } } as unknown as Permit;
}

interface Got {
  readonly status: number;
  readonly text: string;
  readonly session: string | undefined;
}

function got(use: (handler: AnswerHandler) => void): Promise<Got> {
  return new Promise((resolve) => {
    let head = { status: 0, session: undefined as string | undefined };
    let text = '';
    use({
      onResponseStart: (_controller, status, headers) => (head = { status, session: headers['mcp-session-id'] as string | undefined }),
      onResponseData: (_controller, chunk) => (text += chunk),
      onResponseEnd: () => resolve({ ...head, text }),
      onResponseError: (_controller, error) =>
        resolve({ ...head, text: error instanceof AnswerWithheld ? error.refusal.reason : String(error) }),
    });
  });
}

function post(server: string, user: string | undefined, method: string, session?: string): Promise<Got> {
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { name: 'pid' } }));
  const headers = { accept: 'application/json', ...(session !== undefined && { 'mcp-session-id': session }) };
  return got((handler) => servers.post(permit(server, user), headers, body, handler));
}

describe('the stdio servers of a pod', () => {
  after(() => servers.close());

  it('give a session to nobody but its user, and to no other server', async () => {
    const { session } = await post('raw', 'alice', 'initialize');
    assert.equal(session, 'session-1');
    assert.equal((await post('raw', 'alice', 'tools/call', session)).status, 200);
    for (const [server, user] of [
      ['raw', 'bob'],
      ['other', 'alice'],
    ] as const) {
      assert.equal((await post(server, user, 'tools/call', session)).status, 404);
      for (const method of ['GET', 'DELETE']) {
        const answer = await got((handler) =>
          servers.stream(permit(server, user), method, { accept: 'text/event-stream', 'mcp-session-id': session ?? '' }, handler),
        );
        assert.equal(answer.status, 404, `${method} ${server} ${user}`);
      }
    }
    assert.equal((await post('raw', 'alice', 'tools/call', session)).status, 200);
  });

  it('start nothing for somebody who was not verified', async () => {
    for (const user of [undefined, '']) {
      const { status, text } = await post('raw', user, 'initialize');
      assert.deepEqual([status, text], [0, 'the server raw runs for verified users only']);
    }
  });
});
