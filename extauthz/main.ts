import { existsSync } from 'node:fs';
import { earlySetting } from '../runtime/env.ts';
import { runUntilSignal, StartupError } from '../runtime/lifecycle.ts';
import { createLogger } from '../runtime/logger.ts';
import { AUDIT_HELP, auditTable, parseAuditCommand } from './audit-command.ts';
import { CHECK_HELP, parseCheckCommand } from './check-command.ts';
import { extauthzSettings, readExtauthzConfig } from './config.ts';
import { openSqliteAuditStore } from './store/sqlite-audit-store.ts';

const HELP = `Usage: sidegate extauthz [COMMAND]

  serve      run the policy service (this is the default)
  check DIR  check a policy bundle
  audit      read the audit trail

The settings of serve are environment variables: see docs/configuration.md. Each command has --help.
`;

const SERVE_HELP = `Usage: sidegate extauthz serve

Runs the policy service until SIGTERM. It takes no arguments; its settings are environment variables: see docs/configuration.md.
`;

/** Exit codes: the command failed; the command line is wrong. */
const FAILED = 1;
const MISUSED = 2;
/** Stopping takes a little longer than the streams get, so that audit records are stored. */
const STOP_EXTRA_MS = 2_000;

/** Each loads only what it needs, so that reading the audit does not wait for the policy engine. */
const COMMANDS: Readonly<Record<string, { readonly help: string; run(args: readonly string[]): Promise<void> }>> = {
  serve: { help: SERVE_HELP, run: serve },
  check: { help: CHECK_HELP, run: check },
  audit: { help: AUDIT_HELP, run: audit },
};

/** `sidegate extauthz`. Sets the exit code; throws only for faults. */
export async function main(args: string[]): Promise<void> {
  const [first, ...others] = args;
  if (first === '--help' || first === '-h') return void process.stdout.write(HELP);
  const name = first === undefined || first.startsWith('-') ? 'serve' : first;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return misused(`unknown command "${name}"; try sidegate extauthz --help`);
  const rest = name === first ? others : args;
  if (rest.includes('--help') || rest.includes('-h')) return void process.stdout.write(command.help);
  try {
    await command.run(rest);
  } catch (error) {
    if (error instanceof StartupError) failed(error.message);
    else if (isArgumentError(error)) misused(error.message);
    else throw error;
  }
}

async function serve(args: readonly string[]): Promise<void> {
  if (args[0] !== undefined) return misused(`serve: unexpected argument "${args[0]}"`);
  const logger = createLogger('extauthz', earlySetting(extauthzSettings.logLevel, process.env, 'info'));
  await runUntilSignal(logger, earlySetting(extauthzSettings.drainMs, process.env, 0) + STOP_EXTRA_MS, async (onStop) => {
    const config = readExtauthzConfig(process.env);
    const { startPolicyService } = await import('./serve.ts');
    await startPolicyService(config, logger, onStop);
  });
}

async function check(args: readonly string[]): Promise<void> {
  const command = parseCheckCommand(args);
  if (!command.ok) return misused(command.failure);
  const { checkBundle } = await import('./check-bundle.ts');
  const { output, remarks, accepted } = checkBundle(command.value.directory, command.value.printSchema);
  process.stdout.write(output);
  process.stderr.write(remarks);
  if (!accepted) process.exitCode = FAILED;
}

async function audit(args: readonly string[]): Promise<void> {
  const command = parseAuditCommand(args, process.env['SIDEGATE_DATABASE_FILE'] || './sidegate.db', Date.now());
  if (!command.ok) return misused(command.failure);
  const { database, query, json } = command.value;
  // Whoever reads the output may have seen enough, as `head` does.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : FAILED));
  if (!existsSync(database)) throw new StartupError(`there is no audit database at ${database}; name another one with --database`);
  const store = openSqliteAuditStore(database, 'read');
  try {
    const records = await store.query(query);
    process.stdout.write(json ? records.map((record) => `${JSON.stringify(record)}\n`).join('') : auditTable(records));
  } finally {
    await store.close();
  }
}

function misused(message: string): void {
  process.stderr.write(`sidegate extauthz: ${message}\n`);
  process.exitCode = MISUSED;
}

function failed(message: string): void {
  process.stderr.write(`sidegate extauthz: ${message}\n`);
  process.exitCode = FAILED;
}

function isArgumentError(error: unknown): error is Error {
  return error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_');
}
