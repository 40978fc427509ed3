import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { send } from '../../support/mcp-request.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';
import { startTokenShim, type TokenShim } from './token-shim.ts';

let sidecar: Upstream;
let shim: TokenShim;

before(async () => {
  sidecar = await startUpstream((_request, response) => void response.writeHead(418, { 'X-Kept': 'Yes' }).end('as it was'));
  shim = await startTokenShim(Number(new URL(sidecar.url).port), 'the-token');
});

after(async () => {
  await shim.close();
  await sidecar.close();
});

it('adds the token and changes nothing else', async () => {
  const headers = { host: 'evil.example.com', origin: 'http://evil.example.com', 'mcp-method': 'ping' };
  const answer = await send(shim.port, { path: '/suite-1/mcp?x=%2f', headers, body: '{"id": 1}' });
  assert.deepEqual([answer.status, answer.headers['x-kept'], answer.text], [418, 'Yes', 'as it was']);
  const arrived = sidecar.arrived.at(-1);
  assert.equal(arrived?.path, '/suite-1/mcp?x=%2f');
  assert.equal(arrived?.body.toString(), '{"id": 1}');
  const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...fields } = arrived?.headers ?? {};
  assert.deepEqual(fields, { ...headers, authorization: 'Bearer the-token' });
});

it('passes a proxy request on in the absolute form in which it came', async () => {
  await send(shim.port, { path: 'http://localhost:1/mcp', headers: { host: 'localhost:1' }, body: '{}' });
  assert.equal(sidecar.arrived.at(-1)?.path, 'http://localhost:1/mcp');
  assert.deepEqual([shim.count('http://localhost:1/mcp'), shim.count('/mcp')], [1, 0]);
});
