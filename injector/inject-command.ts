import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Environment, readSettings } from '../runtime/env.ts';
import { readNamedFile } from '../runtime/files.ts';
import { StartupError } from '../runtime/lifecycle.ts';
import { VERSION } from '../runtime/version.ts';
import { sidecarTemplateSettings } from './config.ts';
import { injectManifests, type ResourceReport } from './manifests.ts';
import { sidecarTemplate } from './sidecar-template.ts';

export const INJECT_HELP = `Usage: sidegate injector inject -f FILE [-f FILE ...] [OPTIONS]

Adds the sidecar to the pods and pod templates in manifests and writes all of them to standard output, fit for kubectl apply.
One line for each resource goes to standard error. When one is refused, nothing is written and the exit code is 1.

  -f, --filename FILE        YAML or JSON; - reads standard input
      --image IMAGE          the sidecar's image             (SIDEGATE_SIDECAR_IMAGE)
      --policy-address H:P   the policy service              (SIDEGATE_POLICY_ADDRESS)
      --policy-ca-file FILE  its certificate authority, PEM  (SIDEGATE_POLICY_CA_FILE)
      --policy-server-name N name in its certificate         (SIDEGATE_POLICY_SERVER_NAME)
      --otlp-endpoint URL    where sidecars send traces      (SIDEGATE_SIDECAR_OTLP_ENDPOINT)
  -h, --help

Each option can be given as the environment variable beside it; docs/configuration.md lists them all.
`;

const OPTIONS = {
  filename: { type: 'string', short: 'f', multiple: true },
  image: { type: 'string' },
  'policy-address': { type: 'string' },
  'policy-ca-file': { type: 'string' },
  'policy-server-name': { type: 'string' },
  'otlp-endpoint': { type: 'string' },
} as const;

/** The option that gives a setting, by the setting's variable. */
const OPTION_OF: ReadonlyMap<string, Exclude<keyof typeof OPTIONS, 'filename'>> = new Map([
  [sidecarTemplateSettings.image.env, 'image'],
  [sidecarTemplateSettings.policyAddress.env, 'policy-address'],
  [sidecarTemplateSettings.policyCaFile.env, 'policy-ca-file'],
  [sidecarTemplateSettings.policyServerName.env, 'policy-server-name'],
  [sidecarTemplateSettings.sidecarOtlpEndpoint.env, 'otlp-endpoint'],
]);

/** How a setting is called here: by its option, and by its variable, since either may have been given. */
function spoken(variable: string): string {
  const option = OPTION_OF.get(variable);
  return option === undefined ? variable : `--${option} (${variable})`;
}

export interface InjectCommand {
  readonly files: readonly string[];
  /** The environment, with the options laid over it. */
  readonly env: Environment;
}

/** @throws {TypeError} when an option is unknown or lacks its value. */
export function parseInjectCommand(args: readonly string[], env: Environment): InjectCommand {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const given = [...OPTION_OF].map(([variable, option]) => [variable, values[option]] as const);
  return { files: values.filename ?? [], env: { ...env, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) } };
}

export interface InjectOutput {
  /** For standard output; empty when anything was refused. */
  readonly output: string;
  /** For standard error. */
  readonly remarks: string;
  readonly accepted: boolean;
}

/**
 * @throws {SettingsError} when a setting is missing or malformed.
 * @throws {StartupError} when a file cannot be read.
 */
export function runInject({ files, env }: InjectCommand): InjectOutput {
  const config = readSettings(sidecarTemplateSettings, env, spoken);
  const template = sidecarTemplate(config, readNamedFile(config.policyCaFile, spoken(sidecarTemplateSettings.policyCaFile.env)));
  const outputs: string[] = [];
  const remarks: string[] = [];
  let accepted = true;
  for (const file of files) {
    const result = injectManifests(readManifest(file), template, VERSION);
    if (result.kind === 'unreadable') {
      accepted = false;
      remarks.push(...result.problems.map((problem) => `${file}: ${problem}`));
      continue;
    }
    outputs.push(result.yaml);
    remarks.push(...result.reports.map(reportLine));
    if (result.reports.some(({ outcome }) => outcome === 'refused')) accepted = false;
  }
  return {
    output: accepted ? outputs.filter((yaml) => yaml !== '').join('---\n') : '',
    remarks: remarks.map((line) => `${line}\n`).join(''),
    accepted,
  };
}

function reportLine({ resource, outcome, notes }: ResourceReport): string {
  return notes.length === 0 ? `${resource}: ${outcome}` : `${resource}: ${outcome}: ${notes.join('; ')}`;
}

function readManifest(file: string): string {
  if (file !== '-') return readNamedFile(file, '-f');
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    throw new StartupError(`-f -: standard input cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
