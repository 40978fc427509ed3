import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { ListCursors } from '../../../sidecar/federation/list-cursor.ts';

const SCOPE = { endpoint: '/mcp', method: 'tools/list' };
const PENDING = [
  { server: 'a', cursor: 'x' },
  { server: 'b', cursor: undefined },
  { server: 'c', cursor: '' },
];

describe('cursors of merged lists', () => {
  const cursors = new ListCursors(randomBytes(32));

  it('come back as they were', () => {
    const cursor = cursors.encode(SCOPE, PENDING);
    assert.deepEqual(cursors.decode(SCOPE, cursor ?? ''), PENDING);
  });

  it('are not needed when nobody has more', () => assert.equal(cursors.encode(SCOPE, []), undefined));

  it('are good for one list of one endpoint, under one key', () => {
    const cursor = cursors.encode(SCOPE, PENDING) ?? '';
    assert.equal(cursors.decode({ ...SCOPE, method: 'prompts/list' }, cursor), undefined);
    assert.equal(cursors.decode({ ...SCOPE, endpoint: '/views/a/mcp' }, cursor), undefined);
    assert.equal(new ListCursors(randomBytes(32)).decode(SCOPE, cursor), undefined);
  });

  it('say nothing of the servers, of which some may be hidden, or of their cursors', () => {
    const cursor = cursors.encode(SCOPE, [{ server: 'secret-server', cursor: 'after-secret-tool' }]) ?? '';
    assert.doesNotMatch(Buffer.from(cursor, 'base64url').toString('latin1'), /secret/);
  });

  it('cannot be changed in any byte', () => {
    const bytes = Buffer.from(cursors.encode(SCOPE, PENDING) ?? '', 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const forged = Buffer.from(bytes);
      forged.writeUInt8(forged.readUInt8(at) ^ 1, at);
      assert.equal(cursors.decode(SCOPE, forged.toString('base64url')), undefined, String(at));
    }
  });

  for (const forged of [
    '',
    'x',
    'A'.repeat(43),
    'A'.repeat(100),
    '=',
    'a b',
    `${cursors.encode(SCOPE, PENDING)}=`,
    ` ${cursors.encode(SCOPE, PENDING)}`,
  ])
    it(`takes nothing else: ${JSON.stringify(forged.slice(0, 20))}`, () => assert.equal(cursors.decode(SCOPE, forged), undefined));
});
