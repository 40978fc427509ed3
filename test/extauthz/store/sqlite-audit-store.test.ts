import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { openSqliteAuditStore } from '../../../extauthz/store/sqlite-audit-store.ts';
import { auditRecord } from '../support/audit-records.ts';

const directory = mkdtempSync(join(tmpdir(), 'sidegate-audit-'));
after(() => rmSync(directory, { recursive: true }));
let files = 0;
const newFile = () => join(directory, `${++files}.db`);
const ALL = { limit: 1_000 };

describe('SQLite audit store', () => {
  it('keeps records whole and in order of time', async () => {
    const store = openSqliteAuditStore(newFile());
    const late = auditRecord({ time: '2026-01-02T00:00:00.000Z' });
    const early = auditRecord({ time: '2026-01-01T00:00:00.000Z' });
    assert.equal(await store.append([late, early]), 2);
    assert.deepEqual(await store.query(ALL), [early, late]);
    await store.close();
  });

  it('stores each id once and keeps the first', async () => {
    const store = openSqliteAuditStore(newFile());
    const first = auditRecord({ target: 'first' });
    assert.equal(await store.append([first, { ...first, target: 'second' }]), 1);
    assert.equal(await store.append([{ ...first, target: 'third' }, auditRecord()]), 1);
    assert.deepEqual((await store.query(ALL)).map(({ target }) => target).sort(), ['first', 'list_tickets']);
    await store.close();
  });

  it('stores a batch whole or not at all', async () => {
    const store = openSqliteAuditStore(newFile());
    await assert.rejects(store.append([auditRecord(), auditRecord({ server: undefined as never })]));
    assert.deepEqual(await store.query(ALL), []);
    assert.equal(await store.append([auditRecord()]), 1, 'and works on afterwards');
    await store.close();
  });

  it('finds by time, user, server, target and effect, the newest first to be counted', async () => {
    const store = openSqliteAuditStore(newFile());
    const at = (hour: number) => `2026-01-01T0${hour}:00:00.000Z`;
    const records = [
      auditRecord({ time: at(1) }),
      auditRecord({ time: at(2), user: { id: 'bob', issuer: 'i', groups: [] } }),
      auditRecord({ time: at(3), server: 'everything', target: 'echo' }),
      auditRecord({ time: at(4), effect: 'deny', outcome: 'denied' }),
      auditRecord({ time: at(5), user: null, effect: 'deny', outcome: 'rejected' }),
    ];
    await store.append(records);
    const found = async (query: object) =>
      (await store.query({ ...ALL, ...query })).map((record) => records.findIndex(({ id }) => id === record.id) + 1);
    assert.deepEqual(await found({}), [1, 2, 3, 4, 5]);
    assert.deepEqual(await found({ sinceMs: Date.parse(at(4)) }), [4, 5]);
    assert.deepEqual(await found({ user: 'bob' }), [2]);
    assert.deepEqual(await found({ user: "' OR 1=1 --" }), []);
    assert.deepEqual(await found({ server: 'everything' }), [3]);
    assert.deepEqual(await found({ target: 'echo' }), [3]);
    assert.deepEqual(await found({ denied: true }), [4, 5]);
    assert.deepEqual(await found({ denied: true, user: 'alice' }), [4]);
    assert.deepEqual(await found({ limit: 2 }), [4, 5]);
    await store.close();
  });

  it('survives being opened again, and can be read while it is written to', async () => {
    const file = newFile();
    const first = openSqliteAuditStore(file);
    await first.append([auditRecord()]);
    await first.close();

    const idle = openSqliteAuditStore(file, 'read');
    assert.equal((await idle.query(ALL)).length, 1, 'nobody writing');
    await idle.close();

    const writing = openSqliteAuditStore(file);
    const reading = openSqliteAuditStore(file, 'read');
    await writing.append([auditRecord()]);
    assert.equal((await reading.query(ALL)).length, 2, 'while somebody writes');
    await assert.rejects(reading.append([auditRecord()]), /for reading only/);
    await reading.close();
    await writing.close();
  });

  it('is for its owner only, its side files too', async () => {
    const file = newFile();
    const store = openSqliteAuditStore(file);
    await store.append([auditRecord()]);
    for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix);
    await store.close();
  });

  it('writes ahead, so that readers do not hold up the writer', async () => {
    const file = newFile();
    const store = openSqliteAuditStore(file);
    await store.append([auditRecord()]);
    const database = new DatabaseSync(file, { readOnly: true });
    assert.equal(database.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal');
    database.close();
    await store.close();
  });

  it('says in one line why it cannot be opened', () => {
    const missing = join(directory, 'no', 'such.db');
    assert.throws(() => openSqliteAuditStore(missing), {
      name: 'StartupError',
      message: /^cannot open the audit database .*such\.db: .*ENOENT/,
    });
    assert.throws(() => openSqliteAuditStore(missing, 'read'), {
      name: 'StartupError',
      message: /^cannot open the audit database .*such\.db: /,
    });
    const other = newFile();
    writeFileSync(other, 'this is not a database, and long enough to be taken for none at all');
    assert.throws(() => openSqliteAuditStore(other), { name: 'StartupError', message: /not a database/ });
    const empty = newFile();
    writeFileSync(empty, '');
    assert.throws(() => openSqliteAuditStore(empty, 'read'), { name: 'StartupError', message: /is not an audit database/ });
    const newer = newFile();
    const database = new DatabaseSync(newer);
    database.exec('PRAGMA user_version = 2');
    database.close();
    assert.throws(() => openSqliteAuditStore(newer), { name: 'StartupError', message: /newer version of Sidegate/ });
  });
});
