import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RESUMPTION } from './sdk/resumption-steps.ts';
import type { SdkClient } from './sdk/sdk-client.ts';
import { type Servers, startServers } from './sdk/servers.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';

let servers: Servers;
const stops: (() => unknown)[] = [];

before(async () => {
  servers = await startServers((stop) => stops.unshift(stop));
});
after(async () => {
  for (const stop of stops) await stop();
});

const url = (path = '/mcp') => `http://localhost:${servers.gate.port}${path}`;
const tokenOf = (user: string) => servers.gate.token(user);

/** Names in a list, by the key that names its items. */
function namesIn(list: unknown, key: 'tools' | 'prompts' | 'resources' | 'resourceTemplates', name = 'name'): string[] {
  return ((list as Record<string, Record<string, string>[]>)[key] ?? []).map((item) => item[name] ?? '');
}

const serversIn = (names: readonly string[]) => [...new Set(names.map((name) => name.slice(0, name.indexOf('.'))))];

/** What one client gets to do, whichever line and era it is. */
async function use(client: SdkClient, expected: readonly string[]): Promise<void> {
  assert.deepEqual(serversIn(namesIn(await client.listTools(), 'tools')), expected);
  const echoed = (await client.callTool(`${expected[0]}.echo`, { message: 'hello' })) as { content: { text: string }[] };
  assert.match(echoed.content[0]?.text ?? '', /hello/);
  const found = (await client.callTool('tickets.list_tickets', {})) as { isError?: boolean; content: unknown[] };
  assert.notEqual(found.isError, true);
  assert.ok(namesIn(await client.listPrompts(), 'prompts').every((name) => name.includes('.')));
  await assert.rejects(() => client.callTool('nowhere.echo', { message: 'hello' }));
}

describe('official clients at the endpoint of all servers', () => {
  it('TypeScript SDK v1', async () => {
    const client = await connectV1(url(), await tokenOf('alice'));
    try {
      await use(client, ['everything', 'modern', 'modern-streaming', 'tickets']);
      assert.deepEqual(await client.ping(), {});
    } finally {
      await client.close();
    }
  });

  it('TypeScript SDK v2, legacy', async () => {
    const client = await connectV2(url(), await tokenOf('alice'), 'legacy');
    try {
      await use(client, ['everything', 'modern', 'modern-streaming', 'tickets']);
      assert.deepEqual(await client.ping(), {});
    } finally {
      await client.close();
    }
  });

  for (const [name, mode] of [
    ['modern', MODERN],
    ['either era', 'auto'],
  ] as const) {
    it(`TypeScript SDK v2, ${name}: the server of older revisions is left out`, async () => {
      const client = await connectV2(url(), await tokenOf('alice'), mode);
      try {
        assert.equal((client.handshake() as { protocolVersion: string }).protocolVersion, '2026-07-28');
        await use(client, ['modern', 'modern-streaming', 'tickets']);
      } finally {
        await client.close();
      }
    });
  }
});

describe('the reference server behind the endpoint of all servers', () => {
  let client: Awaited<ReturnType<typeof connectV1>>;
  before(async () => {
    client = await connectV1(url(), await tokenOf('alice'));
  });
  after(() => client.close());

  it('has its links read back', async () => {
    const uris = namesIn(await client.listResources(), 'resources', 'uri').filter((uri) => uri.startsWith('everything+'));
    assert.ok(uris.length > 0);
    const [uri = ''] = uris;
    const { contents } = (await client.readResource(uri)) as { contents: { uri: string }[] };
    assert.equal(contents[0]?.uri, uri);
    const linked = (await client.callTool('everything.get-resource-links', { count: 2 })) as { content: { type: string; uri: string }[] };
    const links = linked.content.filter(({ type }) => type === 'resource_link');
    assert.ok(links.length > 0);
    for (const link of links) {
      const read = (await client.readResource(link.uri)) as { contents: { uri: string }[] };
      assert.equal(read.contents[0]?.uri, link.uri);
    }
  });

  it('asks its client, and gets the answer', async () => {
    client.answers.roots = [{ uri: 'file:///workspace', name: 'workspace' }];
    const sampled = (await client.callTool('everything.trigger-sampling-request', { prompt: 'say something', maxTokens: 5 })) as object;
    assert.ok(!('isError' in sampled && sampled.isError === true), JSON.stringify(sampled));
  });

  it('reports its progress', async () => {
    const seen: unknown[] = [];
    const params = { duration: 0.2, steps: 2 };
    await client.callTool('everything.trigger-long-running-operation', params, { onProgress: (progress) => seen.push(progress) });
    assert.ok(seen.length > 0);
  });

  it('completes the arguments of its prompts and templates', async () => {
    const prompts = namesIn(await client.listPrompts(), 'prompts');
    assert.ok(prompts.includes('everything.completable-prompt'));
    const completed = (await client.complete({
      ref: { type: 'ref/prompt', name: 'everything.completable-prompt' },
      argument: { name: 'department', value: 'E' },
    })) as { completion: { values: string[] } };
    assert.deepEqual(completed.completion.values, ['Engineering']);
  });

  it('tells of resources that its client subscribed to', async () => {
    const [uri = ''] = namesIn(await client.listResources(), 'resources', 'uri').filter((text) => text.startsWith('everything+'));
    assert.deepEqual(await client.subscribeResource(uri), {});
    assert.deepEqual(await client.unsubscribeResource(uri), {});
  });

  it('ends its session with the agent’s', async () => {
    const other = await connectV1(url(), await tokenOf('alice'));
    await other.terminateSession();
    await other.close();
  });

  it('stays governed for another user', async () => {
    const bob = await connectV1(url(), await tokenOf('bob'));
    try {
      const tools = namesIn(await bob.listTools(), 'tools');
      assert.ok(tools.includes('everything.echo'));
      assert.ok(!tools.some((name) => /get-env|get-sum|vault/.test(name)));
      await assert.rejects(() => bob.callTool('everything.get-env', {}));
      await assert.rejects(() => bob.callTool('modern.vault', {}));
    } finally {
      await bob.close();
    }
  });
});

describe('streams that break', () => {
  /** The steps know the reference server alone: here it is one of several. */
  const ofEverything = (client: Awaited<ReturnType<typeof connectV1>>): SdkClient => ({
    ...client,
    callTool: (name, args, options) => client.callTool(`everything.${name}`, args, options),
    subscribeResource: (uri) => client.subscribeResource(`everything+${uri}`),
  });

  for (const step of RESUMPTION) {
    it(step.name, async () => {
      const client = await connectV1(url(), await tokenOf('alice'), { maxRetries: 10 });
      try {
        assert.ok(await step.run(ofEverything(client)));
      } finally {
        await client.close();
      }
    });
  }
});

describe('the modern server behind the endpoint of all servers', () => {
  it('asks for input and is answered, tells of updates, and repeats parameters in fields', async () => {
    const client = await connectV2(url(), await tokenOf('alice'), MODERN);
    try {
      client.answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
      const booked = (await client.callTool('modern.book', { room: 'blue' })) as { content: { text: string }[] };
      assert.match(booked.content[0]?.text ?? '', /2026-12-01/);
      await client.listTools();
      const routed = (await client.callTool('modern.route', { region: 'eu', note: 'n' })) as { content: { text: string }[] };
      assert.match(routed.content[0]?.text ?? '', /"mcp-param-region","eu"/);
    } finally {
      await client.close();
    }
  });
});
