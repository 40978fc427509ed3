import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { AGENT_CLIENT_ID, CREDENTIAL_STORE_CLIENT_ID, SIDEGATE_RESOURCE } from '../../examples/issuer/clients.ts';
import { SignInError, signIn } from '../../examples/issuer/sign-in.ts';
import { type RunningExamples, startExamples } from './running-examples.ts';

describe('the example issuer', () => {
  let examples: RunningExamples;
  before(async () => {
    examples = await startExamples();
  });
  after(() => examples.stop());

  it('gives the agent a token for Sidegate, with the groups of the user', async () => {
    const keys = createRemoteJWKSet(new URL(`${examples.issuer}/jwks`));
    for (const [user, groups] of [
      ['alice', ['support']],
      ['bob', ['engineering']],
    ] as const) {
      const { payload, protectedHeader } = await jwtVerify(await examples.agentToken(user), keys, {
        issuer: examples.issuer,
        audience: 'sidegate',
      });
      assert.equal(payload.sub, user);
      assert.deepEqual(payload['groups'], groups);
      assert.equal(payload['client_id'], 'example-agent');
      assert.equal(protectedHeader.alg, 'ES256');
      assert.equal(protectedHeader.typ, 'at+jwt');
      assert.equal(Number(payload.exp) - Number(payload.iat), 8 * 60 * 60);
    }
  });

  it('gives the credential store a token for the ticket server, and for nothing else', async () => {
    const keys = createRemoteJWKSet(new URL(`${examples.issuer}/jwks`));
    const { payload } = await jwtVerify(await examples.ticketsToken('alice'), keys, {
      issuer: examples.issuer,
      audience: examples.ticketsUrl,
    });
    assert.equal(payload.sub, 'alice');
    assert.equal(payload.aud, examples.ticketsUrl);
  });

  const refused = [
    {
      case: 'the agent asks for a token for the ticket server',
      clientId: AGENT_CLIENT_ID,
      resource: 'tickets',
      user: 'alice',
      message: /invalid_target/,
    },
    {
      case: 'the credential store asks for a token for Sidegate',
      clientId: CREDENTIAL_STORE_CLIENT_ID,
      resource: SIDEGATE_RESOURCE,
      user: 'alice',
      message: /invalid_target/,
    },
    {
      case: 'nobody has that name',
      clientId: AGENT_CLIENT_ID,
      resource: SIDEGATE_RESOURCE,
      user: 'mallory',
      message: /no user "mallory"; there are: alice, bob/,
    },
    {
      case: 'the client is unknown',
      clientId: 'somebody',
      resource: SIDEGATE_RESOURCE,
      user: 'alice',
      message: /^the issuer answered with HTTP status 400$/,
    },
  ];
  for (const { case: name, clientId, resource, user, message } of refused) {
    it(`refuses when ${name}`, async () => {
      const target = resource === 'tickets' ? examples.ticketsUrl : resource;
      await assert.rejects(signIn({ issuer: examples.issuer, clientId, resource: target, user }), (error) => {
        assert.ok(error instanceof SignInError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('gives the credential store nothing without its secret', async () => {
    const attempt = { issuer: examples.issuer, clientId: CREDENTIAL_STORE_CLIENT_ID, resource: examples.ticketsUrl, user: 'alice' };
    await assert.rejects(signIn({ ...attempt, clientSecret: 'wrong' }), /invalid_client/);
    await assert.rejects(signIn(attempt), /invalid_client/);
  });
});
