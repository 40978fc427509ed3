import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { WatchEvent } from '../../../extauthz/api/protos.ts';
import { endOf, PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';

/** Collects the events of a Watch stream, with their times. */
class Watching {
  readonly events: { readonly event: WatchEvent; readonly atMs: number }[] = [];
  readonly ended: ReturnType<typeof endOf>;
  readonly #stream: ReturnType<PolicyClient['watch']>;

  constructor(client: PolicyClient) {
    this.#stream = client.watch();
    this.ended = endOf(this.#stream);
    this.#stream.on('data', (event: WatchEvent) => this.events.push({ event, atMs: performance.now() }));
  }

  async until(condition: (events: Watching['events']) => boolean): Promise<void> {
    for (let waited = 0; !condition(this.events); waited += 5) {
      assert.ok(waited < 20_000, `in vain: ${JSON.stringify(this.events)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

describe('Watch', () => {
  let service: RunningService;
  let client: PolicyClient;
  before(async () => {
    service = await startService();
    client = await PolicyClient.of(service);
  });
  after(async () => {
    client.close();
    await service.stop();
  });

  it('begins with the routes, the revision and the lease, and shows no credentials', async () => {
    const watching = new Watching(client);
    await watching.until((events) => events.length > 0);
    const [first] = watching.events;
    assert.match(first?.event.revision ?? '', /^[0-9a-f]{16}$/);
    assert.equal(first?.event.leaseMs, 500);
    assert.deepEqual(first?.event.routes, {
      routes: [
        {
          name: 'everything',
          url: 'http://everything.example/mcp',
          transport: 'streamable-http',
          stdio: null,
          instructions: 'judge',
          agentCredential: false,
          bridgeTo: '',
          tools: [],
        },
        {
          name: 'tickets',
          url: 'http://127.0.0.1:9501/mcp',
          transport: 'streamable-http',
          stdio: null,
          instructions: 'judge',
          agentCredential: false,
          bridgeTo: '',
          tools: ['list_tickets', 'close_ticket', 'delete_ticket'],
        },
      ],
    });
    assert.deepEqual(first?.event.revokedUsers, []);
    watching.cancel();
  });

  it('renews the lease at each heartbeat, without the routes', async () => {
    const watching = new Watching(client);
    await watching.until((events) => events.length >= 4);
    const [first, ...heartbeats] = watching.events;
    for (const { event } of heartbeats) {
      assert.deepEqual([event.revision, event.leaseMs, event.routes, event.views], [first?.event.revision, 500, null, []]);
    }
    watching.cancel();
  });

  it('tells a new revision and its routes to everyone', async () => {
    const watchers = [new Watching(client), new Watching(client), new Watching(client)];
    for (const watching of watchers) await watching.until((events) => events.length > 0);
    const old = watchers[0]?.events[0]?.event.revision;
    service.writeBundle({
      'servers/more.yaml': 'name: more\nurl: https://more.example/mcp\n',
      'views/few.yaml': 'name: few\nallow_tools: [more.a.b]\n',
    });
    for (const watching of watchers) {
      await watching.until((events) => events.some(({ event }) => event.revision !== old));
      const changed = watching.events.find(({ event }) => event.revision !== old);
      assert.deepEqual(
        changed?.event.routes?.routes.map(({ name }) => name),
        ['everything', 'more', 'tickets'],
      );
      assert.ok(changed?.event.views.some(({ name, allowTools }) => name === 'few' && allowTools.join() === 'more.a.b'));
      watching.cancel();
    }
  });

  it('is for verified workloads only', async () => {
    const stranger = new PolicyClient(service, 'x');
    assert.deepEqual(await new Watching(stranger).ended, {
      code: status.UNAUTHENTICATED,
      details: 'the workload token is not valid for this service',
    });
    stranger.close();
  });
});

it('Watch says which servers authorize agents themselves', async () => {
  const service = await startService(
    {},
    { 'servers/own.yaml': 'name: own\nurl: https://own.example/mcp\ncredential: {strategy: agent}\n' },
  );
  const client = await PolicyClient.of(service);
  try {
    const watching = new Watching(client);
    await watching.until((events) => events.length > 0);
    assert.deepEqual(watching.events[0]?.event.routes?.routes, [
      {
        name: 'own',
        url: 'https://own.example/mcp',
        transport: 'streamable-http',
        stdio: null,
        instructions: 'judge',
        tools: [],
        agentCredential: true,
        bridgeTo: '',
      },
    ]);
    watching.cancel();
  } finally {
    client.close();
    await service.stop();
  }
});
