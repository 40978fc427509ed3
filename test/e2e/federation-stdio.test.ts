import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Gate, startGate } from '../support/gate.ts';
import { POLICIES } from './sdk/policies.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';
import { STDIO_COMMANDS, STDIO_FILES } from './stdio/stdio-bundle.ts';

let gate: Gate;
before(async () => {
  const { 'servers/raw.yaml': _raw, ...files } = STDIO_FILES;
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files,
    sidecarEnv: { SIDEGATE_STDIO_COMMANDS: STDIO_COMMANDS, SIDEGATE_DECISION_TIMEOUT_MS: '20000', SIDEGATE_FEDERATION_TIMEOUT_MS: '60000' },
  });
});
after(() => gate.stop());

type Listed = { readonly tools: readonly { readonly name: string }[]; readonly _meta?: Record<string, unknown> };
const serversIn = ({ tools }: Listed) => [...new Set(tools.map(({ name }) => name.slice(0, name.indexOf('.'))))];
const textOf = (result: unknown) => (result as { readonly content: readonly { readonly text: string }[] }).content[0]?.text;

/** Beside the two that work there are one that is not allowed, one that does not exist and one that dies: all of them missing, none of them named. */
const MISSING = 3;

describe('stdio servers at the endpoint of all servers', () => {
  it('are reached like others in the legacy era', async () => {
    const client = await connectV1(`http://localhost:${gate.port}/mcp`, await gate.token('alice'));
    try {
      const listed = (await client.listTools()) as Listed;
      assert.deepEqual(serversIn(listed), ['everything', 'modern']);
      assert.equal(listed._meta?.['sidegate/unavailable'], MISSING);
      assert.doesNotMatch(JSON.stringify(listed), /absent|dying/);
      assert.equal(textOf(await client.callTool('everything.echo', { message: 'hello' })), 'Echo: hello');
      await assert.rejects(() => client.callTool('absent.echo', {}));
    } finally {
      await client.close();
    }
  });

  it('are reached like others in the modern era', async () => {
    const client = await connectV2(`http://localhost:${gate.port}/mcp`, await gate.token('alice'), MODERN);
    try {
      assert.ok(serversIn((await client.listTools()) as Listed).includes('modern'));
      assert.ok(textOf(await client.callTool('modern.echo', { message: 'hello' }))?.includes('hello'));
    } finally {
      await client.close();
    }
  });
});
