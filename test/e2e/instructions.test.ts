import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { modernRequest } from '../support/modern-request.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';

const CATALOGUE = JSON.stringify(['open_note', 'wipe_vault'].map((name) => ({ name, inputSchema: { type: 'object' } })));
/** Alice may use everything; bob what is open. */
const POLICIES = `
permit (principal == User::"alice", action, resource);
permit (principal, action in Action::"CallTool", resource) when { resource.name == "open_note" };
permit (principal, action == Action::"CallUndeclaredTool", resource) when { resource.name like "open*" };
permit (principal, action == Action::"GetPrompt", resource) when { resource.name == "plan" };
permit (principal, action == Action::"ReadResource", resource) when { resource.uri like "note://open/*" };
`;

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

before(async () => {
  upstream = await startUpstream();
  const server = (name: string, more: string) => ({ [`servers/${name}.yaml`]: `name: ${name}\nurl: ${upstream.url}/${name}\n${more}` });
  gate = await startGate({
    servers: { undeclared: upstream.url, listed: `${upstream.url}/listed`, paged: `${upstream.url}/paged` },
    policies: POLICIES,
    files: {
      ...server('declared', 'tools: declared.tools.json\n'),
      ...server('passing', 'tools: passing.tools.json\ninstructions: pass\n'),
      ...server('dropping', 'tools: dropping.tools.json\ninstructions: drop\n'),
      ...Object.fromEntries(['declared', 'passing', 'dropping'].map((name) => [`servers/${name}.tools.json`, CATALOGUE])),
    },
  });
  for (const user of ['alice', 'bob']) tokens[user] = await gate.token(user);
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

interface As {
  readonly user?: string;
  readonly server?: string;
}

function request(body: string, headers: Record<string, string>, { user = 'bob', server = 'declared' }: As): Promise<Answer> {
  return send(gate.port, { path: `/${server}/mcp`, body, headers: { ...headers, authorization: `Bearer ${tokens[user]}` } });
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
});
const initialize = (as: As = {}) => request(INITIALIZE, { ...MCP_HEADERS }, as);
const list = (method: string, as: As = {}, params?: object) =>
  request(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), { ...MCP_HEADERS }, as);

const answer = (result: unknown) => upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result }));
const advising = (instructions: unknown, capabilities: object = { tools: {} }) =>
  answer({ protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 's', version: '1' }, instructions });
const instructionsIn = ({ text }: Answer): unknown => JSON.parse(text).result.instructions;

describe('instructions that name a declared tool', () => {
  const NAMING = 'Call `wipe_vault` when "open_note" is done.';

  it('are for those from whom nothing that they name is hidden', async () => {
    advising(NAMING);
    assert.equal(instructionsIn(await initialize({ user: 'alice' })), NAMING);
    const bobs = await initialize({ user: 'bob' });
    assert.equal(instructionsIn(bobs), '');
    assert.doesNotMatch(bobs.text, /wipe_vault/);
    assert.deepEqual(JSON.parse(bobs.text).result.capabilities, { tools: {} }, 'and everything else is as it was');
  });

  it('in server/discover, in an event stream, and in a result that is replayed', async () => {
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, instructions: NAMING };
    const { headers, body } = modernRequest('server/discover');
    answer(result);
    assert.equal(instructionsIn(await request(body, headers, {})), '');
    assert.equal(instructionsIn(await request(body, headers, { user: 'alice' })), NAMING);
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result })}\n\n`);
    });
    for (const streamed of [
      await initialize(),
      await send(gate.port, {
        method: 'GET',
        path: '/declared/mcp',
        headers: { accept: 'text/event-stream', 'last-event-id': '1', authorization: `Bearer ${tokens['bob']}` },
      }),
    ]) {
      assert.match(streamed.text, /"instructions":""/);
      assert.doesNotMatch(streamed.text, /wipe_vault/);
    }
  });

  for (const instructions of ['WIPE_VAULT first', 'see (wipe_vault).', 'wipe_vault', 'x-wipe_vault-y', 'wipe\\u005fvault']) {
    it(`are found out: ${instructions}`, async () => {
      upstream.behave((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(`{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{}},"instructions":"${instructions}"}}`);
      });
      assert.equal(instructionsIn(await initialize()), '');
    });
  }

  for (const instructions of ['Be kind.', 'open_note is all you need', 'unwipe_vaults', '']) {
    it(`pass when they name nothing hidden: ${JSON.stringify(instructions)}`, async () => {
      advising(instructions);
      assert.equal(instructionsIn(await initialize()), instructions);
    });
  }

  it('cannot hide behind another case, or in another shape', async () => {
    answer({ capabilities: {}, Instructions: NAMING });
    assert.equal(rpcError(await initialize())?.code, 5020);
    advising({ text: NAMING });
    assert.equal(instructionsIn(await initialize()), '');
    answer({ capabilities: {}, tools: [{ name: 'wipe_vault' }], instructions: NAMING });
    assert.doesNotMatch((await initialize()).text, /wipe_vault/);
  });

  it('are withheld when they are too long to search', async () => {
    advising('x '.repeat(32_769));
    assert.equal(instructionsIn(await initialize()), '');
  });

  it('are the operator’s to pass or to drop', async () => {
    advising(NAMING);
    assert.equal(instructionsIn(await initialize({ server: 'passing' })), NAMING);
    assert.equal(instructionsIn(await initialize({ server: 'dropping', user: 'alice' })), '');
    advising('Be kind.');
    assert.equal(instructionsIn(await initialize({ server: 'dropping', user: 'alice' })), '');
  });
});

describe('instructions of a server whose names are not declared', () => {
  it('are withheld while it is not known what is hidden, from those who may not use everything', async () => {
    advising('Be kind.', { prompts: {} });
    assert.equal(instructionsIn(await initialize({ server: 'undeclared' })), '');
    assert.equal(instructionsIn(await initialize({ server: 'undeclared', user: 'alice' })), 'Be kind.');
    advising('Be kind.', {});
    assert.equal(instructionsIn(await initialize({ server: 'undeclared' })), 'Be kind.', 'it has nothing to hide');
  });

  it('are judged by the lists that went through, by whomever they were asked for', async () => {
    const as = { server: 'listed' };
    answer({ tools: [{ name: 'open' }, { name: 'vault' }] });
    await list('tools/list', { ...as, user: 'alice' });
    answer({ prompts: [{ name: 'plan' }, { name: 'plot' }] });
    await list('prompts/list', as);
    answer({ resources: [{ uri: 'note://open/1' }, { uri: 'note://closed/1' }] });
    await list('resources/list', as);
    const capabilities = { tools: {}, prompts: {}, resources: {} };
    for (const [instructions, shown] of [
      ['Be kind. Use open, plan and note://open/1', true],
      ['Use vault', false],
      ['Use plot', false],
      ['Read note://closed/1.', false],
    ] as const) {
      advising(instructions, capabilities);
      assert.equal(instructionsIn(await initialize(as)), shown ? instructions : '', instructions);
    }
  });

  it('are not judged by a list of which a page is missing', async () => {
    const as = { server: 'paged' };
    advising('Be kind.');
    answer({ tools: [{ name: 'open' }], nextCursor: '2' });
    await list('tools/list', as);
    advising('Be kind.');
    assert.equal(instructionsIn(await initialize(as)), '');
    answer({ tools: [{ name: 'open_last' }] });
    await list('tools/list', as, { cursor: 'of a page that nobody was told of' });
    advising('Be kind.');
    assert.equal(instructionsIn(await initialize(as)), '', 'a last page is not the whole list');
    answer({ tools: [{ name: 'vault' }] });
    await list('tools/list', as, { cursor: '2' });
    advising('Be kind.');
    assert.equal(instructionsIn(await initialize(as)), 'Be kind.');
    advising('Use vault');
    assert.equal(instructionsIn(await initialize(as)), '');
  });
});

describe('a link to a resource in the result of a tool', () => {
  it('passes as it is, and what it links to is decided when it is read', async () => {
    const link = { type: 'resource_link', uri: 'note://closed/7', name: 'closed note' };
    answer({ content: [link] });
    const called = await request(
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'open_note', arguments: {} } }),
      { ...MCP_HEADERS },
      {},
    );
    assert.deepEqual(JSON.parse(called.text).result.content, [link]);
    upstream.arrived.length = 0;
    const read = (uri: string, as: As) =>
      request(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } }), { ...MCP_HEADERS }, as);
    assert.equal(rpcError(await read(link.uri, {}))?.code, 4030);
    assert.equal(upstream.arrived.length, 0);
    answer({ contents: [] });
    assert.equal(rpcError(await read('note://open/7', {})), undefined);
    assert.equal(rpcError(await read(link.uri, { user: 'alice' })), undefined);
  });
});
