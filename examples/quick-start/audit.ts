import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { AuditRecord } from '../../extauthz/api/audit-record.ts';
import { telltaleLine } from './child-process.ts';
import { SIDEGATE } from './processes.ts';
import { RunError } from './run-agent.ts';
import type { StateDirectory } from './state-directory.ts';

/** Sidecars send their records in batches, shortly after the calls. */
const WAIT_MS = 10_000;
const MAX_RECORDS = 1_000;

async function auditedCalls(state: StateDirectory, user: string): Promise<readonly AuditRecord[]> {
  const args = [
    `--env-file=${state.at('extauthz.env')}`,
    SIDEGATE,
    'extauthz',
    'audit',
    '--json',
    '--user',
    user,
    '--limit',
    String(MAX_RECORDS),
  ];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { PATH: process.env['PATH'] ?? '' },
      maxBuffer: 16 * 1024 * 1024,
    });
    const records = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditRecord);
    return records.filter(({ method }) => method === 'tools/call');
  } catch (error) {
    throw new RunError(`the audit command failed: ${telltaleLine((error as { stderr?: string }).stderr ?? String(error))}`, {
      cause: error,
    });
  }
}

/** Reads a user's tool calls from the audit trail, with the command an operator would use, oldest first. Waits for as many as were made. */
export async function readAudit(state: StateDirectory, user: string, made: number): Promise<readonly AuditRecord[]> {
  const giveUpAt = Date.now() + WAIT_MS;
  for (;;) {
    const records = await auditedCalls(state, user);
    if (records.length >= made || Date.now() > giveUpAt) return records;
    await sleep(200);
  }
}
