import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { MCP_HEADERS, send } from '../support/mcp-request.ts';
import { type Behaviour, json, startUpstream, type Upstream } from '../support/upstream.ts';

let upstream: Upstream;
let gate: Gate;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url },
    // What is tested is the limit, and not how fast this machine is.
    sidecarEnv: { SIDEGATE_DECISION_TIMEOUT_MS: '20000' },
    policies: 'permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"files");',
  });
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

const listOf = (names: readonly string[]) => ({
  jsonrpc: '2.0',
  id: 1,
  result: { tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) },
});

async function listed(behaviour: Behaviour): Promise<string> {
  upstream.behave(behaviour);
  const headers = { ...MCP_HEADERS, authorization: `Bearer ${await gate.token('alice')}` };
  const answer = await send(gate.port, { path: '/files/mcp', headers, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
  assert.equal(answer.status, 200);
  return answer.text;
}

const TOO_LONG = /"error":\{"code":5020,"message":"the server files sent a list that is too long to judge"/;

describe('a list', () => {
  const asJson = (list: unknown) => listed((_request, response) => json(response, list));
  const asStream = (list: unknown) =>
    listed(
      (_request, response) =>
        void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(list)}\n\n`),
    );

  for (const [how, answer] of [
    ['as JSON', asJson],
    ['in an event stream', asStream],
  ] as const) {
    it(`of 10,000 items is judged: ${how}`, async () => {
      const list = listOf(Array.from({ length: 10_000 }, (_, index) => `tool-${index}`));
      const text = await answer(list);
      assert.ok(text.includes(JSON.stringify(list)), text.slice(0, 500));
    });

    it(`of more is withheld, and the agent told why: ${how}`, async () => {
      const text = await answer(listOf(Array.from({ length: 10_001 }, (_, index) => `tool-${index}`)));
      assert.match(text, TOO_LONG);
      assert.doesNotMatch(text, /tool-/);
    });

    it(`whose names are too long is withheld, and the agent told why: ${how}`, async () => {
      const text = await answer(listOf(Array.from({ length: 600 }, (_, index) => `tool-${index}-${'x'.repeat(2_000)}`)));
      assert.match(text, TOO_LONG);
      assert.doesNotMatch(text, /tool-/);
    });
  }
});
