import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openSqliteAuditStore } from '../../../extauthz/store/sqlite-audit-store.ts';
import { openThreadedAuditStore } from '../../../extauthz/store/threaded-audit-store.ts';
import { auditRecord } from '../support/audit-records.ts';

const directory = mkdtempSync(join(tmpdir(), 'sidegate-threaded-audit-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => join(directory, `${files++}.db`);

async function stored(file: string): Promise<string[]> {
  const reading = openSqliteAuditStore(file, 'read');
  try {
    return (await reading.query({ limit: 100_000 })).map(({ id }) => id);
  } finally {
    await reading.close();
  }
}

describe('the audit store in a thread of its own', () => {
  it('has stored what it resolves for, and counts what is new', async () => {
    const file = newFile();
    const store = await openThreadedAuditStore(file);
    const [one, two] = [auditRecord(), auditRecord()];
    assert.equal(await store.append([one, two]), 2);
    assert.deepEqual((await stored(file)).sort(), [one.id, two.id].sort());
    assert.equal(await store.append([one]), 0);
    await store.close();
  });

  it('stores what was handed over before it is closed, and nothing after', async () => {
    const file = newFile();
    const store = await openThreadedAuditStore(file);
    const records = [auditRecord(), auditRecord()];
    const appended = records.map((record) => store.append([record]));
    await store.close();
    assert.deepEqual(await Promise.all(appended), [1, 1]);
    assert.equal((await stored(file)).length, 2);
    await assert.rejects(store.append([auditRecord()]), /has ended/);
  });

  it('rejects a transaction that fails, and goes on', async () => {
    const store = await openThreadedAuditStore(newFile());
    const broken = { ...auditRecord(), server: null as never };
    await assert.rejects(store.append([auditRecord(), broken]), /NOT NULL/);
    assert.equal(await store.append([auditRecord()]), 1);
    await store.close();
  });

  it('says in one line why it cannot be opened', async () => {
    await assert.rejects(openThreadedAuditStore(join(directory, 'no', 'such.db')), {
      name: 'StartupError',
      message: /^cannot open the audit database .*such\.db: .*ENOENT/,
    });
  });

  it('loses nothing that it resolved for when the process is killed', async () => {
    const file = newFile();
    const child = spawn(process.execPath, [join(import.meta.dirname, '../support/audit-until-killed.ts'), file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.split('\n').length > 200) child.kill('SIGKILL');
    });
    await once(child, 'close');
    // A line that was cut off was not told to anyone.
    const acknowledged = printed.split('\n').slice(0, -1);
    assert.ok(acknowledged.length >= 200);
    const kept = new Set(await stored(file));
    assert.deepEqual(
      acknowledged.filter((id) => !kept.has(id)),
      [],
    );
  });
});
