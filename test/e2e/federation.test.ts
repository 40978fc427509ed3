import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type FederatedGate, INITIALIZE, rpc, startFederatedGate } from '../support/federated-gate.ts';
import type { Answer } from '../support/mcp-request.ts';
import type { Message } from '../support/scripted-server.ts';
import { json } from '../support/upstream.ts';

const POLICIES = `
@id("tools")
permit (principal, action == Action::"CallUndeclaredTool", resource) unless { resource.name like "hidden*" };
@id("prompts")
permit (principal, action == Action::"GetPrompt", resource) unless { resource.name like "hidden*" };
@id("resources")
permit (principal, action == Action::"ReadResource", resource) unless { resource.uri like "file:///hidden*" };
@id("asks")
permit (principal, action == Action::"AskClient", resource);
@id("not-for-bob")
forbid (principal == User::"bob", action, resource in Server::"b2");
`;

let to: FederatedGate;

before(async () => {
  to = await startFederatedGate(['alpha', 'b2', '9lives'], {
    policies: POLICIES,
  });
});

after(() => to.stop());

const defaults = new Map<string, Map<string, unknown>>();

beforeEach(() => {
  for (const [name, server] of Object.entries(to.servers)) {
    const known = defaults.get(name) ?? new Map(server.results);
    defaults.set(name, known);
    server.results.clear();
    for (const [method, result] of known) server.results.set(method, result);
    server.arrived.length = 0;
  }
});

const list = (method: string, params = {}) => ({ jsonrpc: '2.0', id: 'l', method, params });
const arrivedCalls = () => Object.values(to.servers).flatMap((server) => server.messages('tools/call'));
const names = (answer: Answer, key = 'tools', name = 'name') =>
  (rpc(answer).result[key] as Record<string, string>[]).map((item) => item[name]);
const alpha = () => to.servers['alpha'] as NonNullable<(typeof to.servers)[string]>;
const b2 = () => to.servers['b2'] as NonNullable<(typeof to.servers)[string]>;

/** The same in both eras: a request, and its answer. */
const ERAS: readonly (readonly [string, (method: string, params?: Record<string, unknown>) => Promise<Answer>])[] = [
  ['legacy', async (method, params = {}) => to.post(list(method, params), { session: await to.initialize() })],
  ['modern', (method, params) => to.modern(method, params)],
];

for (const [era, ask] of ERAS) {
  describe(`the endpoint of all servers, ${era}`, () => {
    it('lists what each server has, without what policy hides, in the order of the servers', async () => {
      assert.deepEqual(names(await ask('tools/list')), ['9lives.open', 'alpha.open', 'b2.open']);
      assert.deepEqual(names(await ask('prompts/list'), 'prompts'), ['9lives.greet', 'alpha.greet', 'b2.greet']);
      assert.deepEqual(names(await ask('resources/list'), 'resources', 'uri'), [
        'x.9lives+file:///open',
        'alpha+file:///open',
        'b2+file:///open',
      ]);
      assert.deepEqual(names(await ask('resources/templates/list'), 'resourceTemplates', 'uriTemplate'), [
        'x.9lives+file:///{x}',
        'alpha+file:///{x}',
        'b2+file:///{x}',
      ]);
    });

    it('calls a tool at its server, under the name that the server gave it', async () => {
      const answer = await ask('tools/call', { name: 'alpha.open', arguments: { n: 1 } });
      assert.equal(rpc(answer).result.content[0].text, 'alpha did it');
      const [arrived] = arrivedCalls();
      assert.equal(arrived?.params?.['name'], 'open');
      assert.equal(arrivedCalls().length, 1);
    });

    it('changes nothing else in a call', async () => {
      const session = await to.initialize();
      const meta =
        era === 'modern'
          ? ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
          : '';
      const body = (name: string) =>
        `{"params" : {"arguments":{"n":12345678901234567890123,"name":"alpha.open", "s":"\\u00e9"},"name":"${name}"${meta}},"id":98765432109876543210,"jsonrpc":"2.0","method":"tools/call"}`;
      const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'alpha.open' };
      const answer = await (era === 'modern' ? to.post(body('alpha.open'), { headers }) : to.post(body('alpha.open'), { session }));
      assert.match(answer.text, /"id":98765432109876543210/);
      const arrived = alpha().arrived.find((request) => request.body.includes('tools/call'));
      assert.equal(arrived?.body.toString().replace(/"traceparent":"[^"]*",/, ''), body('open'));
      if (era === 'modern') assert.equal(arrived?.headers['mcp-name'], 'open');
    });

    for (const [what, method, params, want] of [
      ['a tool that policy hides', 'tools/call', { name: 'alpha.hidden' }, 4030],
      ['a prompt that policy hides', 'prompts/get', { name: 'alpha.hidden' }, 4030],
      ['a resource that policy hides', 'resources/read', { uri: 'alpha+file:///hidden' }, 4030],
      ['completions for it', 'completion/complete', { ref: { type: 'ref/resource', uri: 'alpha+file:///hidden/{x}' }, argument: {} }, 4030],
      ['completions for a hidden prompt', 'completion/complete', { ref: { type: 'ref/prompt', name: 'alpha.hidden' }, argument: {} }, 4030],
      ['a name without a server', 'tools/call', { name: 'open' }, -32602],
      ['a server that is not registered', 'tools/call', { name: 'gamma.open' }, -32602],
      ['a server in another case', 'tools/call', { name: 'Alpha.open' }, -32602],
      ['a server in look-alike letters', 'tools/call', { name: 'аlpha.open' }, -32602],
      ['an encoded server', 'tools/call', { name: '%61lpha.open' }, -32602],
      ['a server with blanks', 'tools/call', { name: ' alpha.open' }, -32602],
      ['a server that climbs', 'tools/call', { name: '../alpha.open' }, -32602],
      ['an empty server', 'tools/call', { name: '.open' }, -32602],
      ['an empty tool', 'tools/call', { name: 'alpha.' }, -32602],
      ['a URI without a server', 'resources/read', { uri: 'file:///open' }, -32602],
      ['a URI of an unknown server', 'resources/read', { uri: 'gamma+file:///open' }, -32602],
      ['a URI in another spelling', 'resources/read', { uri: 'x.alpha+file:///open' }, -32602],
      ['a URI that its server would read differently', 'resources/read', { uri: 'alpha+file:///open/../hidden' }, -32602],
      ['a URI of a scheme in upper case', 'resources/read', { uri: 'alpha+FILE:///hidden' }, -32602],
      ['a forged cursor', 'tools/list', { cursor: 'eyJhIjoxfQ' }, -32602],
      ['an empty cursor', 'tools/list', { cursor: '' }, -32602],
    ] as const) {
      it(`refuses ${what}`, async () => {
        const { error } = rpc(await ask(method, params));
        assert.equal(error?.code, want);
        assert.equal(arrivedCalls().length, 0);
        for (const { arrived } of Object.values(to.servers))
          assert.ok(!arrived.some(({ body }) => body.includes('hidden')), 'it was sent on');
      });
    }

    it('takes the first dot for the end of the server, whatever the tool is called', async () => {
      b2().results.set('tools/list', { tools: [{ name: 'alpha.open' }, { name: '.x' }] });
      assert.deepEqual(names(await ask('tools/list')), ['9lives.open', 'alpha.open', 'b2.alpha.open', 'b2..x']);
      await ask('tools/call', { name: 'b2.alpha.open', arguments: {} });
      assert.equal(alpha().messages('tools/call').length, 0);
      assert.equal(b2().messages('tools/call')[0]?.params?.['name'], 'alpha.open');
    });

    it('keeps the URIs that servers speak of apart, whatever they claim', async () => {
      const claimed = 'alpha+file:///open';
      b2().results.set('tools/call', {
        content: [
          { type: 'resource_link', uri: claimed, name: 'l' },
          { type: 'resource', resource: { uri: 'file:///open', text: 'e' } },
          { type: 'text', text: 'file:///open' },
        ],
      });
      const { content } = rpc(await ask('tools/call', { name: 'b2.open', arguments: {} })).result;
      assert.equal(content[0].uri, `b2+${claimed}`);
      assert.equal(content[1].resource.uri, 'b2+file:///open');
      assert.equal(content[2].text, 'file:///open');
      const read = rpc(await ask('resources/read', { uri: content[1].resource.uri })).result;
      assert.deepEqual([read.contents[0].uri, read.contents[0].text], ['b2+file:///open', 'b2']);
      await ask('resources/read', { uri: content[0].uri });
      assert.equal(alpha().messages('resources/read').length, 0);
      assert.equal(b2().messages('resources/read').at(-1)?.params?.['uri'], claimed);
    });

    it('merges pages behind a cursor of its own', async () => {
      const paged =
        (pages: readonly string[]) =>
        (message: { id?: unknown; params?: Record<string, unknown> }, response: Parameters<typeof json>[0]) => {
          const page = Number(message.params?.['cursor'] ?? 0);
          const nextCursor = page + 1 < pages.length ? { nextCursor: String(page + 1) } : {};
          json(response, { jsonrpc: '2.0', id: message.id, result: { tools: [{ name: pages[page] }], ...nextCursor } });
        };
      alpha().results.set('tools/list', paged(['a1', 'a2', 'a3']));
      b2().results.set('tools/list', paged(['b1', 'b2']));
      const pages: (string | undefined)[][] = [];
      let cursor: string | undefined;
      do {
        const answer = await ask('tools/list', cursor === undefined ? {} : { cursor });
        pages.push(names(answer));
        cursor = rpc(answer).result.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(pages, [['9lives.open', 'alpha.a1', 'b2.b1'], ['alpha.a2', 'b2.b2'], ['alpha.a3']]);
    });

    it('does not take a cursor of one list for another', async () => {
      alpha().results.set('tools/list', { tools: [], nextCursor: 'more' });
      const cursor = rpc(await ask('tools/list')).result.nextCursor;
      assert.equal(rpc(await ask('prompts/list', { cursor })).error?.code, -32602);
      const forged = `${cursor.startsWith('A') ? 'B' : 'A'}${cursor.slice(1)}`;
      assert.equal(rpc(await ask('tools/list', { cursor: forged })).error?.code, -32602);
    });

    for (const [how, answer] of [
      ['goes away', (_message: unknown, response: ServerResponse) => response.destroy()],
      [
        'answers with a page',
        (_message: unknown, response: ServerResponse) => response.writeHead(502, { 'content-type': 'text/html' }).end('<p>b2'),
      ],
      [
        'answers with an error',
        ({ id }: Message, response: ServerResponse) => json(response, { jsonrpc: '2.0', id, error: { code: 1, message: 'b2' } }),
      ],
      [
        'answers with no list',
        ({ id }: Message, response: ServerResponse) => json(response, { jsonrpc: '2.0', id, result: { tools: 'b2' } }),
      ],
      [
        'answers another request',
        (_message: unknown, response: ServerResponse) => json(response, { jsonrpc: '2.0', id: 'b2', result: { tools: [] } }),
      ],
      [
        'has a stream that ends',
        (_message: unknown, response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(':b2\n\n'),
      ],
    ] as const)
      it(`leaves a server out that ${how}, and counts it without naming it`, async () => {
        b2().results.set('tools/list', answer);
        const listed = await ask('tools/list');
        assert.deepEqual(names(listed), ['9lives.open', 'alpha.open']);
        assert.equal(rpc(listed).result._meta['sidegate/unavailable'], 1);
        assert.doesNotMatch(listed.text, /b2/);
      });

    it('counts nothing where a server has no such list', async () => {
      b2().results.delete('prompts/list');
      const answer = await ask('prompts/list');
      assert.deepEqual(names(answer, 'prompts'), ['9lives.greet', 'alpha.greet']);
      assert.equal(rpc(answer).result._meta?.['sidegate/unavailable'], undefined);
    });

    it('fails a list only when every server does', async () => {
      for (const server of Object.values(to.servers))
        server.results.set('tools/list', (_message: unknown, response: { destroy(): void }) => response.destroy());
      assert.equal(rpc(await ask('tools/list')).error?.code, 5020);
    });

    it('knows no other methods', async () => {
      const answer = await ask('agent/run');
      assert.equal(rpc(answer).error?.code, -32601);
      assert.equal(answer.status, era === 'modern' ? 404 : 200);
    });

    it('passes tasks on under names that say whose they are', async () => {
      alpha().results.set('tools/call', { task: { taskId: 't1', status: 'working' }, taskId: 't1' });
      const { result } = rpc(await ask('tools/call', { name: 'alpha.open', arguments: {} }));
      assert.deepEqual([result.task.taskId, result.taskId], ['alpha.t1', 'alpha.t1']);
    });
  });
}

describe('a user whom policy keeps from a server', () => {
  it('is not told of it, in lists or in numbers', async () => {
    const token = await to.gate.token('bob');
    for (const answer of [
      await to.modern('tools/list', {}, { token }),
      await to.modern('server/discover', {}, { token }),
      await to.post(list('tools/list'), { token, session: await to.initialize({ token }) }),
    ]) {
      assert.ok(rpc(answer).result);
      assert.doesNotMatch(answer.text, /b2|unavailable/);
    }
    assert.equal(rpc(await to.modern('tools/call', { name: 'b2.open', arguments: {} }, { token })).error?.code, 4030);
    assert.equal(b2().arrived.length, 0);
  });

  it('is refused everywhere without a token', async () => {
    for (const answer of [
      await to.modern('tools/list', {}, { token: 'x' }),
      await to.modern('server/discover', {}, { token: 'x' }),
      await to.modern('subscriptions/listen', { notifications: { toolsListChanged: true } }, { token: 'x' }),
      await to.post(INITIALIZE, { token: 'x' }),
      await to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { token: 'x' }),
      await to.post(list('tools/list'), { token: 'x' }),
    ])
      assert.equal(rpc(answer).error?.code, 4030, answer.text);
  });
});

describe('the modern era', () => {
  it('is discovered as one server, without what the servers say in words', async () => {
    const answer = await to.modern('server/discover');
    const { result } = rpc(answer);
    assert.deepEqual(result.supportedVersions, ['2026-07-28']);
    assert.deepEqual(Object.keys(result.capabilities).sort(), ['completions', 'logging', 'prompts', 'resources', 'tools']);
    assert.equal(result.cacheScope, 'private');
    assert.equal(result.ttlMs, 1_000);
    assert.doesNotMatch(answer.text, /hidden|instructions/);
  });

  it('has lists that are complete, private, and kept no longer than any server wants', async () => {
    alpha().results.set('tools/list', { tools: [], ttlMs: 100, cacheScope: 'public' });
    b2().results.set('tools/list', { tools: [], ttlMs: 50, cacheScope: 'public' });
    to.servers['9lives']?.results.set('tools/list', { tools: [], ttlMs: 70 });
    const { result } = rpc(await to.modern('tools/list'));
    assert.deepEqual([result.resultType, result.cacheScope, result.ttlMs], ['complete', 'private', 50]);
  });

  it('is refused where header and body disagree', async () => {
    const answer = await to.modern('tools/call', { name: 'alpha.open' }, { headers: { 'mcp-name': 'alpha.other' } });
    assert.deepEqual([answer.status, rpc(answer).error?.code], [400, -32020]);
    assert.equal(arrivedCalls().length, 0);
  });

  it('says which revisions it knows', async () => {
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2027-01-01', 'io.modelcontextprotocol/clientCapabilities': {} };
    const answer = await to.post(list('tools/list', { _meta: meta }), { headers: { 'mcp-protocol-version': '2027-01-01' } });
    assert.deepEqual([answer.status, rpc(answer).error?.code], [400, -32022]);
    assert.deepEqual(JSON.parse(answer.text).error.data, { supported: ['2026-07-28'], requested: '2027-01-01' });
  });

  it('has a name that is not ASCII reach its server in the header as well', async () => {
    const name = 'alpha.größe';
    const header = `=?base64?${Buffer.from(name).toString('base64')}?=`;
    await to.modern('tools/call', { name, arguments: {} }, { headers: { 'mcp-name': header, 'mcp-param-region': 'eu' } });
    const arrived = alpha().arrived.find(({ body }) => body.includes('tools/call'));
    assert.equal(arrived?.headers['mcp-name'], `=?base64?${Buffer.from('größe').toString('base64')}?=`);
    assert.equal(arrived?.headers['mcp-param-region'], 'eu');
  });

  it('hands on what a server asks for before it answers, and its state untouched', async () => {
    const asked = {
      resultType: 'input_required',
      inputRequests: { a: { method: 'elicitation/create', params: {} } },
      requestState: 'opaque',
    };
    alpha().results.set('tools/call', asked);
    assert.deepEqual(rpc(await to.modern('tools/call', { name: 'alpha.open', arguments: {} })).result, asked);
  });
});
