import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { userPathSegment } from '../../../extauthz/broker/user-path-segment.ts';

describe('a user id as a path segment', () => {
  for (const id of ['alice', 'Alice', 'alice.smith', 'a_b-c', '7', '-x', '_', 'a'.repeat(42), 'a'.repeat(44)]) {
    it(`stands for itself: ${id}`, () => assert.equal(userPathSegment(id), id));
  }

  it('is the base64url of its SHA-256 otherwise', () => {
    assert.equal(userPathSegment('alice@example.com'), '_42YGfwOEr8NJIkuRZh-JJoo3Og2qFytYOKOqqjG2XY');
  });

  const hashed = [
    'auth0|7',
    '.',
    '..',
    '..data',
    '.hidden',
    '../bob',
    'a/b',
    'a\\b',
    '/etc/passwd',
    'a\u0000',
    '',
    'ålice',
    'a'.repeat(129),
    'a'.repeat(43),
  ];
  for (const id of hashed) {
    it(`is hashed: ${JSON.stringify(id)}`, () => {
      assert.match(userPathSegment(id), /^[A-Za-z0-9_-]{43}$/);
      assert.notEqual(userPathSegment(id), id);
    });
  }

  it('cannot be the hash that stands for someone else', () => {
    const victim = userPathSegment('alice@example.com');
    assert.notEqual(userPathSegment(victim), victim);
  });

  it('is always one segment, and differs for different ids', () => {
    const id = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('.', '..', '...', 'a/../b', '%2e%2e', '~', 'con'));
    fc.assert(
      fc.property(id, id, (one, other) => {
        const segment = userPathSegment(one);
        assert.match(segment, /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/);
        assert.equal(segment === userPathSegment(other), one === other);
      }),
    );
  });
});
