import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, credentials, status } from '@grpc/grpc-js';
import { type DecisionResponse, policyService } from '../../../extauthz/api/protos.ts';
import { Asking, endOf, PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { BUNDLE_WITHOUT_BOB } from '../support/test-bundle.ts';
import { nowS, startTestIssuer, userClaims, workloadClaims } from '../support/test-issuer.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('Decide', () => {
  let service: RunningService;
  let client: PolicyClient;
  let asking: Asking;
  let alice: string;
  let bob: string;

  before(async () => {
    service = await startService();
    service.writeSecret('tickets/alice', 'alices-secret\n');
    client = await PolicyClient.of(service);
    asking = new Asking(client);
    alice = await service.users.sign(userClaims(service.users));
    bob = await service.users.sign(userClaims(service.users, { sub: 'bob', groups: ['support'] }));
  });
  after(async () => {
    asking.close();
    client.close();
    await service.stop();
  });

  const call = (name: string, args: unknown = {}) => ({ params: { name, arguments: args } });
  const assertDenied = (response: DecisionResponse, code: string, reason: string | RegExp) => {
    assert.equal(response.effect, 'DENY');
    assert.equal(response.code, code, response.reason);
    if (typeof reason === 'string') assert.equal(response.reason, reason);
    else assert.match(response.reason, reason);
    assert.match(response.decisionId, UUID_V7);
    assert.deepEqual([response.setHeaders, response.removeHeaders, response.credential], [[], [], ''], 'obligations only when allowed');
  };

  it('allows what policy permits, with the user’s own credential and without the agent’s', async () => {
    const before = Date.now();
    const response = await asking.ask({ userToken: alice, ...call('list_tickets') });
    assert.equal(response.effect, 'ALLOW', response.reason);
    assert.equal(response.code, '');
    assert.deepEqual(response.policies, ['support-tickets']);
    assert.deepEqual(response.setHeaders, [{ name: 'authorization', value: 'Bearer alices-secret' }]);
    assert.deepEqual(response.removeHeaders, ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key']);
    assert.equal(response.credential, 'file:alice');
    assert.deepEqual(response.vary, { arguments: false, time: false });
    assert.deepEqual(response.principal, {
      userId: 'alice',
      subject: 'alice',
      issuer: service.users.url,
      groups: ['support'],
      namespace: 'agents',
      serviceAccount: 'helpdesk',
      pod: 'helpdesk-0',
    });
    assert.match(response.decisionId, UUID_V7);
    assert.match(response.revision, /^[0-9a-f]{16}$/);
    assert.ok(
      response.expiresAtMs >= before + 6_000 && response.expiresAtMs <= Date.now() + 6_000,
      'as long as a lease, since there is a credential in it',
    );
    assert.doesNotMatch(service.log.text(), /alices-secret/);
  });

  it('ends a decision with the user token', async () => {
    const exp = nowS() + 3;
    const token = await service.users.sign(userClaims(service.users, { exp }));
    const response = await asking.ask({ userToken: token, ...call('list_tickets') });
    assert.equal(response.expiresAtMs, exp * 1_000);
  });

  it('says that a decision depended on the arguments', async () => {
    const allowed = await asking.ask({ userToken: alice, ...call('close_ticket', { number: 7 }) });
    assert.equal(allowed.effect, 'ALLOW', allowed.reason);
    assert.deepEqual(allowed.vary, { arguments: true, time: false });
    assertDenied(await asking.ask({ userToken: alice, ...call('close_ticket', { number: 13 }) }), 'forbidden', 'ticket 13 stays open');
  });

  it('gives each denial its own code', async () => {
    assertDenied(await asking.ask({ userToken: alice, ...call('delete_ticket', { number: 1 }) }), 'forbidden', 'tickets are never deleted');
    const dave = await service.users.sign(userClaims(service.users, { sub: 'dave', groups: [] }));
    assertDenied(await asking.ask({ userToken: dave, ...call('list_tickets') }), 'not_permitted', /./);
    assertDenied(
      await asking.ask({ userToken: alice, server: 'nowhere', ...call('list_tickets') }),
      'unknown_server',
      'the server is not registered',
    );
    assertDenied(await asking.ask({ userToken: alice, server: '__proto__', ...call('list_tickets') }), 'unknown_server', /./);
    assertDenied(
      await asking.ask({ userToken: bob, ...call('list_tickets') }),
      'no_credential',
      'you have no usable credential for tickets',
    );
    assertDenied(await asking.ask(call('list_tickets')), 'unauthenticated', 'the user token is missing');
    assertDenied(
      await asking.ask({ userToken: 'x', ...call('list_tickets') }),
      'unauthenticated',
      'the user token is not valid for this service',
    );
    const expired = await service.users.sign(userClaims(service.users, { exp: nowS() - 60 }));
    assertDenied(await asking.ask({ userToken: expired, ...call('list_tickets') }), 'unauthenticated', 'the user token has expired');
    assertDenied(await asking.ask({ userToken: alice, minRevision: 'ffff', ...call('list_tickets') }), 'unavailable', /revision/);
  });

  it('lets nothing vary-free through that did not come from policy', async () => {
    const response = await asking.ask(call('list_tickets'));
    assert.deepEqual(response.vary, { arguments: true, time: true }, 'not to be cached');
    assert.equal(response.principal, null);
  });

  const unreadable: readonly [string, Buffer, RegExp][] = [
    ['no JSON', Buffer.from('{'), /not a JSON object/],
    ['an array', Buffer.from('["list_tickets"]'), /not a JSON object/],
    ['null', Buffer.from('null'), /not a JSON object/],
    ['a doubled key', Buffer.from('{"name":"list_tickets","name":"delete_ticket"}'), /not a JSON object/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not a JSON object/],
    ['no name', Buffer.from('{}'), /params\.name is missing/],
    ['a name that is a number', Buffer.from('{"name":7}'), /params\.name is missing/],
    ['nothing', Buffer.alloc(0), /params\.name is missing/],
  ];
  for (const [what, params, reason] of unreadable) {
    it(`denies a call whose params are ${what}`, async () => {
      assertDenied(await asking.ask({ userToken: alice, params }), 'invalid_arguments', reason);
    });
  }

  it('denies a method that is empty or that nobody defined', async () => {
    assertDenied(await asking.ask({ userToken: alice, method: '' }), 'invalid_arguments', /method is missing/);
    assertDenied(await asking.ask({ userToken: alice, method: 'admin/shutdown' }), 'not_permitted', /./);
  });

  it('keeps answering after bad questions, many at a time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        asking.ask(
          i % 3 === 0
            ? { userToken: alice, params: Buffer.from('{') }
            : { userToken: i % 3 === 1 ? alice : 'bad', ...call('list_tickets') },
        ),
      ),
    );
    assert.deepEqual(
      answers.map(({ effect, code }) => code || effect),
      Array.from({ length: 300 }, (_, i) => ['invalid_arguments', 'ALLOW', 'unauthenticated'][i % 3]),
    );
    assert.equal(new Set(answers.map(({ decisionId }) => decisionId)).size, 300);
  });

  it('is not brought down by bytes that are no question, nor by one that is too large', async () => {
    const { path, responseDeserialize } = policyService.Decide;
    for (const [bytes, code] of [
      [Buffer.from([0xff, 0xff, 0xff]), status.INTERNAL],
      [Buffer.alloc(16_777_217), status.RESOURCE_EXHAUSTED],
    ] as const) {
      const raw = new Client(`localhost:${service.grpcPort}`, credentials.createSsl(Buffer.from(service.caPem)));
      const stream = raw.makeBidiStreamRequest(path, (message: Buffer) => message, responseDeserialize, client.metadata);
      stream.resume();
      stream.write(bytes);
      assert.equal((await endOf(stream)).code, code);
      raw.close();
    }
    assert.equal((await asking.ask({ userToken: alice, ...call('list_tickets') })).effect, 'ALLOW');
  });

  it('filters a list so that it agrees with the calls', async () => {
    const names = ['list_tickets', 'close_ticket', 'delete_ticket', 'nobody_declared'];
    const response = await asking.ask({ userToken: alice, method: 'tools/list', items: { names } });
    assert.equal(response.effect, 'ALLOW', response.reason);
    assert.deepEqual(response.visible, [true, true, false, false]);
    assert.deepEqual(response.setHeaders, [], 'nothing goes upstream for this question');
    const hidden = await asking.ask({ userToken: 'bad', method: 'tools/list', items: { names } });
    assertDenied(hidden, 'unauthenticated', /./);
    assert.deepEqual(hidden.visible, [false, false, false, false]);
    const wrong = await asking.ask({ userToken: alice, method: 'tools/call', items: { names } });
    assertDenied(wrong, 'invalid_arguments', /not a list method/);
    assert.deepEqual(wrong.visible, [false, false, false, false]);
    const empty = await asking.ask({ userToken: alice, method: 'tools/list', items: { names: [] } });
    assert.deepEqual([empty.effect, empty.visible], ['ALLOW', []]);
  });

  it('decides by whole revisions while the bundle is replaced', async () => {
    service.writeSecret('tickets/bob', 'bobs-secret');
    const first = await asking.ask({ userToken: bob, ...call('list_tickets') });
    assert.equal(first.effect, 'ALLOW', first.reason);
    const effects = new Map<string, Set<string>>();
    const until = Date.now() + 20_000;
    let round = 0;
    while (Date.now() < until && effects.size < 2) {
      if (round++ === 3) service.writeBundle({ 'policies/lock.cedar': BUNDLE_WITHOUT_BOB['policies/lock.cedar'] });
      const answers = await Promise.all(Array.from({ length: 50 }, () => asking.ask({ userToken: bob, ...call('list_tickets') })));
      for (const { revision, effect } of answers) effects.set(revision, (effects.get(revision) ?? new Set()).add(effect));
    }
    assert.deepEqual(
      [...effects.values()].map((set) => [...set]),
      [['ALLOW'], ['DENY']],
    );
    const last = await asking.ask({ userToken: bob, ...call('list_tickets') });
    assertDenied(last, 'forbidden', 'bob is on leave');
    service.writeBundle({ 'policies/lock.cedar': undefined });
  });
});

describe('the caller of Decide', () => {
  let service: RunningService;
  before(async () => {
    service = await startService();
  });
  after(() => service.stop());

  const endWith = async (token: string | undefined) => {
    const client = new PolicyClient(service, token);
    const stream = client.decide();
    stream.on('data', () => assert.fail('an unverified caller must get no answer'));
    stream.write({ id: 1, server: 'tickets', method: 'ping', params: Buffer.alloc(0), userToken: '', items: null, minRevision: '' });
    const ended = await endOf(stream);
    client.close();
    return ended;
  };
  const notValid = { code: status.UNAUTHENTICATED, details: 'the workload token is not valid for this service' };

  it('must show a workload token', async () => {
    assert.deepEqual(await endWith(undefined), { code: status.UNAUTHENTICATED, details: 'the workload token is missing' });
  });

  it('must not show a user’s token', async () => {
    assert.deepEqual(await endWith(await service.users.sign(userClaims(service.users))), notValid);
    assert.deepEqual(await endWith(await service.workloads.sign(userClaims(service.workloads))), notValid);
  });

  it('must not show a token of another cluster', async () => {
    const other = await startTestIssuer('RS256');
    assert.deepEqual(await endWith(await other.sign(workloadClaims(service.workloads))), notValid);
    await other.close();
  });

  it('must not show an expired token', async () => {
    const expired = await service.workloads.sign(workloadClaims(service.workloads, { exp: nowS() - 60 }));
    assert.deepEqual(await endWith(expired), { code: status.UNAUTHENTICATED, details: 'the workload token has expired' });
  });

  it('must not show two tokens', async () => {
    const token = await service.workloads.sign(workloadClaims(service.workloads));
    const client = new PolicyClient(service, token);
    client.metadata.set('authorization', `Bearer ${token}, Bearer ${token}`);
    const stream = client.decide();
    stream.resume();
    assert.deepEqual(await endOf(stream), notValid);
    client.close();
  });

  it('is cut off when its token ends, within the clock tolerance', async () => {
    const client = await PolicyClient.of(service, { exp: nowS() - 28 });
    const asking = new Asking(client);
    const token = await service.users.sign(userClaims(service.users));
    assert.equal((await asking.ask({ userToken: token, method: 'ping', server: 'everything' })).effect, 'ALLOW');
    assert.equal(await openStreams(), 1);
    assert.deepEqual(await asking.ended, { code: status.UNAUTHENTICATED, details: 'the workload token has expired' });
    assert.equal(await openStreams(), 0);
    client.close();
  });

  it('leaves nothing behind when it goes', async () => {
    const client = await PolicyClient.of(service);
    const leaving = [new Asking(client), new Asking(client)];
    for (const asking of leaving) await asking.ask({ method: 'ping' });
    assert.equal(await openStreams(), 2);
    leaving[0]?.close();
    leaving[1]?.stream.end();
    assert.deepEqual(await leaving[1]?.ended, { code: 0, details: '' });
    client.close();
    for (let waited = 0; (await openStreams()) > 0; waited += 10) {
      assert.ok(waited < 20_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  const openStreams = async () => ((await (await fetch(`${service.httpUrl}/readyz`)).json()) as { streams: number }).streams;
});
