import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../examples/quick-start/ports.ts';
import { everything } from '../../examples/quick-start/processes.ts';
import { claimStateDirectory } from '../../examples/quick-start/state-directory.ts';
import { MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { EVERYTHING } from './sdk/everything-steps.ts';
import { RESTRICTED_EVERYTHING } from './sdk/restricted-steps.ts';
import { type Step, transcribe } from './sdk/transcript.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';
import { gate, post, textOf, tokens, tool } from './stdio/stdio-gate.ts';

describe('the reference server as a program, against itself over HTTP', () => {
  let ports: Ports;
  let directory: string;
  let reference: RunningChild;
  before(async () => {
    ports = await choosePorts('auto');
    directory = mkdtempSync(join(tmpdir(), 'sidegate-stdio-'));
    reference = await startChild(everything(ports, claimStateDirectory(directory, 'http://issuer.example')));
  });
  after(async () => {
    await reference.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** What the reference server itself does differently over stdio: it knows no session ids, and has another environment. */
  const DIFFERS = /get-env|logging|resources\/subscribe|after the end of the session/;
  const clients = [
    ['SDK v1', connectV1],
    ['SDK v2, legacy', (url: string, token: string | undefined) => connectV2(url, token, 'legacy')],
    ['SDK v2, choosing the era itself', (url: string, token: string | undefined) => connectV2(url, token, 'auto')],
  ] as const;
  for (const [title, connect] of clients) {
    it(`answers ${title} the same`, async () => {
      const steps = EVERYTHING.filter(({ name }) => !DIFFERS.test(name));
      assert.ok(steps.length > 35);
      const direct = await transcribe(() => connect(`http://127.0.0.1:${ports.everything}/mcp`, undefined), steps);
      const governed = await transcribe(() => connect(gate.url('everything'), tokens.get('alice')), steps);
      for (const { name } of steps) assert.deepEqual(governed.get(name), direct.get(name), name);
    });
  }

  it('hides and refuses what policy hides', async () => {
    const steps: readonly Step<Awaited<ReturnType<typeof connectV1>>>[] = RESTRICTED_EVERYTHING;
    const direct = await transcribe(() => connectV1(`http://127.0.0.1:${ports.everything}/mcp`, undefined), steps);
    const governed = await transcribe(() => connectV1(gate.url('everything'), tokens.get('bob')), steps);
    for (const { name, denied, governed: rewritten } of steps) {
      const [was, is] = [direct.get(name), governed.get(name)];
      assert.ok(was !== undefined && is !== undefined);
      if (denied !== undefined) assert.equal('error' in is && is.error.code, 4030, name);
      else if (rewritten !== undefined && 'value' in was) assert.deepEqual(is, { value: rewritten(was.value) }, name);
      else assert.deepEqual(is, was, name);
    }
  });

  it('sends resource updates on the GET stream', async () => {
    const client = await connectV1(gate.url('everything'), tokens.get('alice'));
    await client.wire.openStream();
    const uri = 'demo://resource/dynamic/text/1';
    await client.subscribeResource(uri);
    await client.callTool('toggle-subscriber-updates');
    assert.deepEqual((await client.inbox.next('notifications/resources/updated')).params, { uri });
    await client.terminateSession();
    await client.close();
  });
});

describe('a modern server', () => {
  const connect = (user: string) => connectV2(gate.url('modern'), tokens.get(user), MODERN);
  const pidOf = async (client: Awaited<ReturnType<typeof connect>>) =>
    Number(((await client.callTool('pid')) as { content: { text: string }[] }).content[0]?.text);

  it('is discovered in its own era, and lists only what the user may call', async () => {
    const [alice, bob] = [await connectV2(gate.url('modern'), tokens.get('alice'), 'auto'), await connect('bob')];
    assert.equal(alice.sdk.getNegotiatedProtocolVersion(), '2026-07-28');
    const names = async (client: typeof alice) =>
      ((await client.listTools()) as { tools: { name: string }[] }).tools.map(({ name }) => name);
    assert.ok((await names(alice)).includes('vault'));
    assert.ok(!(await names(bob)).includes('vault'));
    await assert.rejects(bob.callTool('vault'), { code: 4030 });
    await alice.close();
    await bob.close();
  });

  it('runs once for each user, and never for two', async () => {
    const [first, second, bob] = [await connect('alice'), await connect('alice'), await connect('bob')];
    const pids = [await pidOf(first), await pidOf(second), await pidOf(bob)];
    assert.equal(pids[0], pids[1]);
    assert.notEqual(pids[0], pids[2]);
    for (const client of [first, second, bob]) await client.close();
  });

  it('keeps apart callers that use the same ids and progress tokens at once', async () => {
    const clients = await Promise.all([connect('alice'), connect('alice'), connect('alice')]);
    const heard = clients.map((): unknown[] => []);
    const answers = await Promise.all(
      clients.map((client, index) =>
        client.callTool(
          'steps',
          { name: `caller ${index}`, steps: 5 },
          { onProgress: (progress) => heard[index]?.push((progress as { message: string }).message) },
        ),
      ),
    );
    answers.forEach((answer, index) => {
      assert.equal((answer as { content: { text: string }[] }).content[0]?.text, `caller ${index}`);
      assert.deepEqual(heard[index], Array(5).fill(`caller ${index}`));
    });
    for (const client of clients) await client.close();
  });

  it('answers with the id exactly as it was sent', async () => {
    for (const id of ['12345678901234567890123', '"a\\u0062\\n"', '-0', '"1"']) {
      const body = `{"jsonrpc":"2.0","params":{"name":"echo","arguments":{"message":"x"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}},\n"method":"tools/call",\r\n"id":${id}}`;
      const headers = {
        ...MCP_HEADERS,
        authorization: `Bearer ${tokens.get('alice')}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
      };
      const answer = await send(gate.port, { path: '/modern/mcp', headers, body });
      assert.ok(answer.text.includes(`"id":${id}`), answer.text);
      assert.equal(textOf(answer), 'x');
    }
  });

  it('is told when a caller goes away', async () => {
    const client = await connect('alice');
    const abort = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const call = client.callTool('wait', { key: 'gone' }, { signal: abort.signal, onProgress: () => waiting.resolve() });
    await waiting.promise;
    abort.abort();
    await assert.rejects(call);
    for (let tries = 0; ; tries += 1) {
      const { content } = (await client.callTool('cancelled')) as { content: { text: string }[] };
      if (content[0]?.text.includes('gone')) break;
      assert.ok(tries < 1_000, 'the server was never told');
      await sleep(20);
    }
    await client.close();
  });

  it('announces changes to those who listen, under the id they know', async () => {
    const client = await connect('alice');
    const changed = Promise.withResolvers<void>();
    client.sdk.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
    const subscription = await client.sdk.listen({ toolsListChanged: true });
    await client.callTool('change');
    await changed.promise;
    await subscription.close();
    await client.close();
  });

  it('answers an unknown method as HTTP does', async () => {
    const answer = await post('modern', { jsonrpc: '2.0', id: 1, method: 'acme/unknown', params: {} }, { modern: true });
    assert.deepEqual([answer.status, rpcError(answer)?.code], [404, -32601]);
  });

  it('that crashes fails the open call with a reason, and starts again for the next', async () => {
    const answer = await post('modern', tool('crash'), { modern: true, user: 'carol' });
    assert.equal(rpcError(answer)?.code, 4030, 'carol may do nothing');
    const open = await Promise.all([
      post('modern', tool('crash', {}, 'c'), { modern: true }),
      post('modern', tool('wait', { key: 'w' }, 'w'), { modern: true }),
    ]);
    for (const failed of open) {
      assert.equal(rpcError(failed)?.code, 5020, failed.text);
      assert.equal(rpcError(failed)?.message, 'the server modern exited with code 3 before it answered');
    }
    assert.equal(JSON.parse(open[1]?.text ?? '').id, 'w');
    assert.equal(textOf(await post('modern', tool('echo', { message: 'back' }), { modern: true })), 'back');
    assert.ok(gate.audit().some(({ outcome, target }) => outcome === 'upstream_error' && target === 'crash'));
  });
});
