import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../../../extauthz/api/decision.ts';
import { DecisionCache } from '../../../sidecar/authz/decision-cache.ts';
import { Lease } from '../../../sidecar/authz/lease.ts';

const SUBJECT = { server: 'tickets', method: 'tools/call', target: 'get_ticket' };
const UNIX_MS = 1_700_000_000_000;

function decision(overrides: Partial<Decision> = {}): Decision {
  return {
    effect: 'allow',
    code: undefined,
    reason: '',
    policies: ['p'],
    wouldDeny: [],
    vary: { arguments: false, time: false },
    id: 'd1',
    revision: 'r1',
    principal: undefined,
    obligations: { setHeaders: [], removeHeaders: [], credential: '' },
    expiresAtMs: UNIX_MS + 60_000,
    ...overrides,
  };
}

function leasedCache(): { cache: DecisionCache; lease: Lease } {
  const lease = new Lease();
  const cache = new DecisionCache(lease);
  lease.renew('r1', 6_000, 0);
  cache.dropOutdated();
  return { cache, lease };
}

const DENIED: Partial<Decision> = { effect: 'deny', code: 'forbidden' };

describe('decision cache', () => {
  it('serves an ALLOW while the lease is live, and not a moment longer', () => {
    const { cache } = leasedCache();
    cache.keep('token', SUBJECT, decision());
    assert.equal(cache.find('token', SUBJECT, 5_999, UNIX_MS)?.id, 'd1');
    assert.equal(cache.find('token', SUBJECT, 6_000, UNIX_MS), undefined);
  });

  it('keeps a DENY after the lease ran out, and forgets ALLOWs then', () => {
    const { cache, lease } = leasedCache();
    cache.keep('token', SUBJECT, decision());
    cache.keep('token', { ...SUBJECT, target: 'delete_ticket' }, decision(DENIED));
    cache.keepVisible('token', SUBJECT, ['a'], [true], 'r1');
    cache.dropAllows();
    lease.renew('r1', 6_000, 10_000);
    assert.equal(cache.find('token', SUBJECT, 10_001, UNIX_MS), undefined);
    assert.equal(cache.findVisible('token', SUBJECT, ['a'], 10_001), undefined);
    assert.equal(cache.find('token', { ...SUBJECT, target: 'delete_ticket' }, 99_999, UNIX_MS)?.effect, 'deny');
  });

  for (const [name, kept] of [
    ['arguments were read', { vary: { arguments: true, time: false } }],
    ['time was read', { vary: { arguments: false, time: true } }],
    ['another revision made it', { revision: 'r0' }],
    ['the user could not be verified', { effect: 'deny', code: 'unauthenticated' }],
    ['the credential was missing', { effect: 'deny', code: 'no_credential' }],
    ['evaluation failed', { effect: 'deny', code: 'policy_error' }],
    ['no decision could be had', { effect: 'deny', code: 'unavailable' }],
  ] satisfies [string, Partial<Decision>][]) {
    it(`keeps nothing when ${name}`, () => {
      const { cache } = leasedCache();
      cache.keep('token', SUBJECT, decision(kept));
      assert.equal(cache.find('token', SUBJECT, 1, UNIX_MS), undefined);
    });
  }

  it('does not outlive the user token or the credential', () => {
    const { cache } = leasedCache();
    cache.keep('token', SUBJECT, decision({ expiresAtMs: UNIX_MS + 10 }));
    assert.notEqual(cache.find('token', SUBJECT, 1, UNIX_MS + 9), undefined);
    assert.equal(cache.find('token', SUBJECT, 1, UNIX_MS + 10), undefined);
  });

  it('is emptied by a new revision', () => {
    const { cache, lease } = leasedCache();
    cache.keep('token', SUBJECT, decision());
    cache.keep('token', { ...SUBJECT, target: 'x' }, decision(DENIED));
    lease.renew('r2', 6_000, 1);
    cache.dropOutdated();
    assert.equal(cache.find('token', SUBJECT, 2, UNIX_MS), undefined);
    assert.equal(cache.find('token', { ...SUBJECT, target: 'x' }, 2, UNIX_MS), undefined);
  });

  it('is emptied for a revoked user only', () => {
    const { cache } = leasedCache();
    const agent = { namespace: 'n', serviceAccount: 's', pod: undefined };
    const principalOf = (id: string) => ({ user: { id, subject: id, issuer: 'i', groups: [] }, agent });
    cache.keep('a', SUBJECT, decision({ principal: principalOf('alice') }));
    cache.keep('b', SUBJECT, decision({ principal: principalOf('bob') }));
    cache.revoke(['alice']);
    assert.equal(cache.find('a', SUBJECT, 1, UNIX_MS), undefined);
    assert.notEqual(cache.find('b', SUBJECT, 1, UNIX_MS), undefined);
  });

  it('keeps users, servers, methods and targets apart, whatever characters the agent puts in them', () => {
    const { cache } = leasedCache();
    cache.keep('token', { server: 's', method: 'a', target: 'b\0c' }, decision());
    for (const [token, subject] of [
      ['other', { server: 's', method: 'a', target: 'b\0c' }],
      ['token', { server: 't', method: 'a', target: 'b\0c' }],
      ['token', { server: 's', method: 'a\0b', target: 'c' }],
      ['token', { server: 's', method: 'ab', target: '\0c' }],
      ['token', { server: 's', method: 'a', target: 'b' }],
    ] as const) {
      assert.equal(cache.find(token, subject, 1, UNIX_MS), undefined, JSON.stringify([token, subject]));
    }
  });

  it('answers a list question only when it knows every item', () => {
    const { cache } = leasedCache();
    cache.keepVisible('token', SUBJECT, ['a', 'b'], [true, false], 'r1');
    assert.deepEqual(cache.findVisible('token', SUBJECT, ['b', 'a'], 1), [false, true]);
    assert.equal(cache.findVisible('token', SUBJECT, ['a', 'new'], 1), undefined);
    assert.equal(cache.findVisible('token', SUBJECT, ['a'], 6_000), undefined);
  });

  it('stays bounded however many tools and tokens an agent invents', () => {
    const { cache } = leasedCache();
    for (let index = 0; index < 30_000; index += 1) cache.keep('token', { ...SUBJECT, target: `t${index}` }, decision(DENIED));
    let known = 0;
    for (let index = 0; index < 30_000; index += 1) if (cache.find('token', { ...SUBJECT, target: `t${index}` }, 1, UNIX_MS)) known += 1;
    assert.ok(known <= 10_000, `${known} entries`);
    for (let index = 0; index < 2_000; index += 1) cache.keep(`token${index}`, SUBJECT, decision());
    assert.equal(cache.find('token0', SUBJECT, 1, UNIX_MS), undefined);
    assert.notEqual(cache.find('token1999', SUBJECT, 1, UNIX_MS), undefined);
  });
});
