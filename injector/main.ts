import { earlySetting, readSettings, SettingsError } from '../runtime/env.ts';
import { runUntilSignal, StartupError } from '../runtime/lifecycle.ts';
import { createLogger } from '../runtime/logger.ts';
import { CERTIFICATES_HELP, parseCertificatesCommand, writeCertificates } from './certificates-command.ts';
import { injectorSettings } from './config.ts';
import { INJECT_HELP, parseInjectCommand, runInject } from './inject-command.ts';
import { startInjector } from './serve.ts';

const HELP = `Usage: sidegate injector [COMMAND]

  serve         run the admission webhook (this is the default)
  inject        add the sidecar to manifests
  certificates  make the certificates of an installation

The settings of serve are environment variables: see docs/configuration.md. Each command has --help.
`;

const SERVE_HELP = `Usage: sidegate injector serve

Runs the admission webhook until SIGTERM. It takes no arguments; its settings are environment variables: see docs/configuration.md.
`;

/** Exit codes: the command failed; the command line is wrong. */
const FAILED = 1;
const MISUSED = 2;
/** Stopping takes a little longer than the webhook goes on answering, so that the last answers leave. */
const STOP_EXTRA_MS = 5_000;

const COMMANDS: Readonly<Record<string, { readonly help: string; run(args: readonly string[]): Promise<void> | void }>> = {
  serve: { help: SERVE_HELP, run: serve },
  inject: { help: INJECT_HELP, run: injectFiles },
  certificates: { help: CERTIFICATES_HELP, run: certificates },
};

/** `sidegate injector`. Sets the exit code; throws only for faults. */
export async function main(args: string[]): Promise<void> {
  const [first, ...others] = args;
  if (first === '--help' || first === '-h') return void process.stdout.write(HELP);
  const name = first === undefined || first.startsWith('-') ? 'serve' : first;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return misused(`unknown command "${name}"; try sidegate injector --help`);
  const rest = name === first ? others : args;
  if (rest.includes('--help') || rest.includes('-h')) return void process.stdout.write(command.help);
  try {
    await command.run(rest);
  } catch (error) {
    if (error instanceof StartupError || error instanceof SettingsError) failed(error.message);
    else if (isArgumentError(error)) misused(error.message);
    else throw error;
  }
}

async function serve(args: readonly string[]): Promise<void> {
  if (args[0] !== undefined) return misused(`serve: unexpected argument "${args[0]}"`);
  const logger = createLogger('injector', earlySetting(injectorSettings.logLevel, process.env, 'info'));
  await runUntilSignal(logger, earlySetting(injectorSettings.drainMs, process.env, 0) + STOP_EXTRA_MS, async (onStop) => {
    await startInjector(readSettings(injectorSettings, process.env), logger, onStop);
  });
}

function injectFiles(args: readonly string[]): void {
  const command = parseInjectCommand(args, process.env);
  if (command.files.length === 0) return misused('inject: -f is required; - reads standard input');
  const { output, remarks, accepted } = runInject(command);
  process.stdout.write(output);
  process.stderr.write(remarks);
  if (!accepted) process.exitCode = FAILED;
}

async function certificates(args: readonly string[]): Promise<void> {
  const command = parseCertificatesCommand(args);
  if ('problem' in command) return misused(command.problem);
  const lines = await writeCertificates(command, Date.now());
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function misused(message: string): void {
  process.stderr.write(`sidegate injector: ${message}\n`);
  process.exitCode = MISUSED;
}

function failed(message: string): void {
  process.stderr.write(`sidegate injector: ${message}\n`);
  process.exitCode = FAILED;
}

function isArgumentError(error: unknown): error is Error {
  return error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_');
}
