import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, rpcError, send } from '../support/mcp-request.ts';
import { modernRequest } from '../support/modern-request.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';

let upstream: Upstream;
let gate: Gate;
const tokens: Record<string, string> = {};

before(async () => {
  upstream = await startUpstream();
  const catalogue = [
    { name: 'route', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Stale' } } } },
  ];
  gate = await startGate({
    servers: { changing: upstream.url },
    policies: 'permit (principal, action, resource);',
    files: {
      'servers/declared.yaml': `name: declared\nurl: ${upstream.url}\ntools: declared.tools.json\n`,
      'servers/declared.tools.json': JSON.stringify(catalogue),
    },
  });
  for (const user of ['alice', 'bob', 'carol']) tokens[user] = await gate.token(user);
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

interface As {
  readonly user?: string;
  readonly server?: string;
}

function post(method: string, params: Record<string, unknown>, fields: Record<string, string>, as: As = {}): Promise<Answer> {
  const { user = 'alice', server = 'declared' } = as;
  const { headers, body } = modernRequest(method, params);
  return send(gate.port, { path: `/${server}/mcp`, body, headers: { ...headers, ...fields, authorization: `Bearer ${tokens[user]}` } });
}

const call = (region: unknown, fields: Record<string, string> = {}, as: As = {}) =>
  post('tools/call', { name: 'route', arguments: { region } }, fields, as);

/** Has a user list the one tool, with this name for its parameter; null is none. */
async function list(header: string | null, as: As = {}): Promise<void> {
  const region = { type: 'string', ...(header !== null && { 'x-mcp-header': header }) };
  const tools = [{ name: 'route', inputSchema: { type: 'object', properties: { region } } }];
  upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', tools } }));
  await post('tools/list', {}, {}, as);
  upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', content: [] } }));
}

beforeEach(() => {
  upstream.arrived.length = 0;
});

describe('Mcp-Param fields', () => {
  it('of a tool that was not listed go to the server as they are, whatever the catalogue says', async () => {
    upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', content: [] } }));
    assert.equal(rpcError(await call('eu', { 'mcp-param-anything': 'us' })), undefined);
    assert.equal(upstream.arrived[0]?.headers['mcp-param-anything'], 'us');
  });

  it('must say what the arguments say, once the tool was listed', async () => {
    await list('Region');
    assert.equal(rpcError(await call('eu', { 'mcp-param-region': 'eu' })), undefined);
    assert.equal(rpcError(await call('zürich', { 'mcp-param-region': '=?base64?esO8cmljaA==?=' })), undefined);
    assert.equal(rpcError(await call(null)), undefined);
    upstream.arrived.length = 0;
    for (const fields of [{}, { 'mcp-param-region': 'us' }, { 'mcp-param-region': '=?base64?!?=' }]) {
      const refused = await call('eu', fields as Record<string, string>);
      assert.equal(refused.status, 400);
      assert.equal(rpcError(refused)?.code, -32020);
    }
    assert.equal(upstream.arrived.length, 0);
  });

  it('are held against what this user was shown, at this server', async () => {
    await list('Region', { user: 'alice' });
    assert.equal(rpcError(await call('eu', {}, { user: 'bob' })), undefined);
    assert.equal(rpcError(await call('eu', {}, { server: 'changing' })), undefined);
  });

  it('are held against a list that others were shown before, byte for byte', async () => {
    const carol = { user: 'carol' };
    await list('Region', { user: 'alice' });
    assert.equal(rpcError(await call('eu', {}, carol)), undefined, 'not shown yet');
    await list('Region', carol);
    assert.equal(rpcError(await call('eu', { 'mcp-param-region': 'eu' }, carol)), undefined);
    assert.equal((await call('eu', {}, carol)).status, 400);
  });

  it('may follow any of the versions of a schema that were shown, and no other', async () => {
    const as = { server: 'changing' };
    await list('Region', as);
    assert.equal((await call('eu', {}, as)).status, 400);
    await list('Zone', as);
    assert.equal(rpcError(await call('eu', { 'mcp-param-region': 'eu' }, as)), undefined);
    assert.equal(rpcError(await call('eu', { 'mcp-param-zone': 'eu' }, as)), undefined);
    assert.equal((await call('eu', { 'mcp-param-zone': 'us' }, as)).status, 400);
    await list(null, as);
    assert.equal(rpcError(await call('eu', {}, as)), undefined, 'a client that was shown no declaration sends no field');
  });
});
