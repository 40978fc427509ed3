import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OwnedEntries } from '../../sidecar/owned-entries.ts';

describe('owned entries', () => {
  it('gives when full what is over, then the oldest of whoever has most', () => {
    const entries = new OwnedEntries<number>(4);
    entries.set('bob', 'over', 0, 10, 0);
    entries.set('alice', 'a', 1, 1_000, 0);
    for (const name of ['b1', 'b2', 'b3']) entries.set('bob', name, 2, 1_000, 20);
    assert.equal(entries.get('bob', 'b1', 20), 2, 'what was over made room');
    for (let flood = 0; flood < 100; flood += 1) entries.set('bob', `f${flood}`, 3, 1_000, 30);
    assert.equal(entries.get('alice', 'a', 30), 1);
    assert.equal(entries.get('bob', 'b1', 30), undefined);
    assert.equal(entries.get('bob', 'f99', 30), 3);
  });

  it('has a name of any owner, while it is not over', () => {
    const entries = new OwnedEntries<number>(4);
    entries.set('bob', 'b', 0, 10, 0);
    assert.equal(entries.has('b', 10), true);
    assert.equal(entries.has('b', 11), false);
    assert.equal(entries.has('a', 0), false);
  });

  it('replaces an entry without counting it twice', () => {
    const entries = new OwnedEntries<number>(2);
    for (let value = 0; value < 10; value += 1) entries.set('alice', 'a', value, 10, 0);
    entries.set('bob', 'b', 1, 10, 0);
    assert.equal(entries.get('alice', 'a', 0), 9);
    assert.equal(entries.get('bob', 'b', 0), 1);
  });
});
