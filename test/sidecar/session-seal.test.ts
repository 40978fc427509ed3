import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SessionSeal } from '../../sidecar/session-seal.ts';

const KEY = randomBytes(32);
const ALICE = { userId: 'alice', server: 'files' };

describe('session seal', () => {
  it('opens for its owner what it sealed, whatever the id, and says nothing about it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), fc.string(), (sessionId, userId, server) => {
        const seal = new SessionSeal(KEY);
        const sealed = seal.seal({ userId, server }, sessionId);
        assert.match(sealed, /^[\w-]+$/);
        assert.equal(new SessionSeal(KEY).open({ userId, server }, sealed), sessionId);
        assert.equal(seal.open({ userId, server }, sealed), sessionId);
      }),
    );
  });

  it('names one session alike each time, and two sessions apart', () => {
    const seal = new SessionSeal(KEY);
    assert.equal(seal.seal(ALICE, 's'), seal.seal(ALICE, 's'));
    assert.notEqual(seal.seal(ALICE, 's'), seal.seal(ALICE, 't'));
    assert.notEqual(seal.seal(ALICE, 's'), seal.seal({ ...ALICE, userId: 'bob' }, 's'));
  });

  it('opens for nobody else, also after it was opened for its owner', () => {
    const seal = new SessionSeal(KEY);
    const sealed = seal.seal(ALICE, 's');
    assert.equal(seal.open({ ...ALICE, userId: 'bob' }, sealed), undefined);
    assert.equal(seal.open({ ...ALICE, server: 'other' }, sealed), undefined);
    assert.equal(seal.open({ userId: 'files","alice', server: '' }, sealed), undefined);
    assert.equal(new SessionSeal(randomBytes(32)).open(ALICE, sealed), undefined);
  });

  it('refuses every change of a sealed id', () => {
    const sealed = new SessionSeal(KEY).seal(ALICE, 'session-1');
    const seal = new SessionSeal(KEY);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      assert.equal(seal.open(ALICE, changed), undefined, `character ${at}`);
    }
    for (const text of ['', 'A', sealed.slice(1), `${sealed}A`, `${sealed}=`, ` ${sealed}`, 'session-1']) {
      assert.equal(seal.open(ALICE, text), undefined, JSON.stringify(text));
    }
  });
});
