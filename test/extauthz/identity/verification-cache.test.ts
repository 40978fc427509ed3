import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createVerificationCache } from '../../../extauthz/identity/verification-cache.ts';

describe('verification cache', () => {
  const value = (expiresAtMs: number) => ({ expiresAtMs });

  it('ends an entry with its token', () => {
    const cache = createVerificationCache(10);
    cache.set('a', value(1_000), 0);
    assert.deepEqual(cache.get('a', 999), value(1_000));
    assert.equal(cache.get('a', 1_000), undefined);
    assert.equal(cache.get('a', 0), undefined, 'an ended entry is gone');
  });

  it('ends an entry after five minutes, however long the token lasts', () => {
    const cache = createVerificationCache(10);
    cache.set('a', value(1e12), 0);
    assert.ok(cache.get('a', 299_999));
    assert.equal(cache.get('a', 300_000), undefined);
  });

  it('takes no entry that has ended already', () => {
    const cache = createVerificationCache(10);
    cache.set('a', value(1_000), 1_000);
    assert.equal(cache.get('a', 500), undefined);
  });

  it('drops what was used longest ago when it is full', () => {
    const cache = createVerificationCache(2);
    cache.set('a', value(1e6), 0);
    cache.set('b', value(1e6), 0);
    cache.get('a', 1);
    cache.set('c', value(1e6), 1);
    assert.ok(cache.get('a', 2));
    assert.equal(cache.get('b', 2), undefined);
    assert.ok(cache.get('c', 2));
  });
});
