import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isNormalUri } from '../../../extauthz/api/operation.ts';
import { federatedId, federatedName, federatedUri, splitId, splitName, splitUri } from '../../../sidecar/federation/names.ts';

const server = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
const text = fc.string({ unit: 'binary', minLength: 1 }).filter((own) => own.isWellFormed());

describe('names', () => {
  for (const [written, want] of [
    ['a.b', { server: 'a', own: 'b' }],
    ['a.b.c', { server: 'a', own: 'b.c' }],
    ['a..', { server: 'a', own: '.' }],
    ['a', undefined],
    ['.a', undefined],
    ['a.', undefined],
    ['.', undefined],
    ['', undefined],
  ] as const) {
    it(`takes "${written}" apart`, () => assert.deepEqual(splitName(written), want));
  }

  it('come back as they were', () => {
    fc.assert(fc.property(server, text, (name, own) => assert.deepEqual(splitName(federatedName(name, own)), { server: name, own })));
  });

  it('are shared by no two servers', () => {
    fc.assert(
      fc.property(server, text, server, text, (one, a, other, b) => {
        if (federatedName(one, a) === federatedName(other, b) || federatedUri(one, a) === federatedUri(other, b))
          assert.deepEqual([one, a], [other, b]);
      }),
    );
  });
});

describe('URIs', () => {
  for (const [name, own, want] of [
    ['tickets', 'file:///x', 'tickets+file:///x'],
    ['9lives', 'file:///x', 'x.9lives+file:///x'],
    ['-a', 'file:///x', 'x.-a+file:///x'],
    ['x', 'git+ssh://h/r', 'x+git+ssh://h/r'],
    ['tickets', 'file:///{path}', 'tickets+file:///{path}'],
    ['tickets', '{+uri}', 'tickets+{+uri}'],
  ] as const) {
    it(`writes ${own} of ${name} as ${want}`, () => {
      assert.equal(federatedUri(name, own), want);
      assert.deepEqual(splitUri(want), { server: name, own });
    });
  }

  for (const written of ['', '+', 'a+', '+a', 'x.+a', 'x.a+b', 'file:///x', 'x.x.9+b'])
    it(`does not take "${written}" apart`, () => {
      const split = splitUri(written);
      assert.ok(split === undefined || !/^[a-z0-9-]+$/.test(split.server));
    });

  it('come back as they were', () => {
    fc.assert(fc.property(server, text, (name, own) => assert.deepEqual(splitUri(federatedUri(name, own)), { server: name, own })));
  });

  it('stay in normal form when they were', () => {
    const uris = fc.webUrl({ withQueryParameters: true, withFragments: true }).map((uri) => new URL(uri).href);
    fc.assert(fc.property(server, uris, (name, own) => assert.ok(isNormalUri(federatedUri(name, own)), federatedUri(name, own))));
  });
});

describe('ids', () => {
  const id = fc.oneof(
    fc.bigInt().map(String),
    text.map((value) => JSON.stringify(value)),
  );

  it('come back digit by digit', () => {
    fc.assert(fc.property(server, id, (name, own) => assert.deepEqual(splitId(JSON.parse(federatedId(name, own))), { server: name, own })));
  });

  for (const forged of [
    5,
    null,
    'a',
    'a.',
    'a.x',
    'a.[1]',
    'a.{}',
    'a.1.0',
    'a.01',
    'a.1,"b":2',
    'a."b',
    'a."b","c"',
    'a.null',
    'a. 1',
    'a."\n"',
  ])
    it(`takes nothing else: ${JSON.stringify(forged)}`, () => assert.equal(splitId(forged), undefined));
});
