import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bearerToken } from '../../../extauthz/identity/bearer.ts';
import { publicReason, TOKEN_FAILURES } from '../../../extauthz/identity/token-failure.ts';

describe('Authorization field', () => {
  for (const field of ['Bearer a.b.c', 'bearer a.b.c', 'BEARER  a.b.c', ' Bearer a.b.c ']) {
    it(`gives the token of "${field}"`, () => assert.deepEqual(bearerToken(field), { ok: true, value: 'a.b.c' }));
  }
  for (const field of [undefined, '', ' ']) {
    it(`is missing when it is ${JSON.stringify(field)}`, () => assert.equal(kindOf(field), 'missing'));
  }
  for (const field of [
    'a.b.c',
    'Basic YTpi',
    'Bearer',
    'Bearer a b',
    'Bearer a, Bearer b',
    'Bearer a,b',
    'Bearer a\tb',
    'Bearer "a"',
    'Bearera',
  ]) {
    it(`is malformed when it is "${field}"`, () => assert.equal(kindOf(field), 'malformed'));
  }
  function kindOf(field: string | undefined): string {
    const result = bearerToken(field);
    return result.ok ? 'ok' : result.failure.kind;
  }
});

describe('what a caller hears about its token', () => {
  const said = {
    missing: 'the user token is missing',
    expired: 'the user token has expired',
    keys_unavailable: 'the user token cannot be verified at the moment',
  };
  for (const kind of TOKEN_FAILURES) {
    it(`after ${kind}`, () => {
      const expected = kind in said ? said[kind as keyof typeof said] : 'the user token is not valid for this service';
      assert.equal(publicReason({ kind, detail: 'exact detail' }, 'user'), expected);
    });
  }
});
